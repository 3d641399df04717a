/**
 * Builds the image without a container engine, from the Dockerfile's own steps. What its base images have comes from this machine: its
 * /usr stands in for node:…-slim, with the pinned Node, and its C library for distroless/cc. Steps of the network, `apt-get` and
 * `npm ci`, are replaced: by what is installed here, and by the packages that the lock file names for production.
 */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
/** User `nonroot` of distroless. */
const NONROOT = 65_532

/** A network of its own leaves this machine's ports alone. */
const NAMESPACES = ['--mount', '--net']
/** As in the base images. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const LOOPBACK = `/usr/bin/python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))'`

type Instruction = { readonly name: string; readonly text: string }

/** Instructions of each stage of a Dockerfile, without comments. */
function stagesOf(dockerfile: string): readonly (readonly Instruction[])[] {
  const lines = dockerfile
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
  const stages: Instruction[][] = []
  for (const line of lines.filter((one) => one.trim() !== '')) {
    const [, name = '', text = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    if (name === 'FROM') stages.push([])
    else stages.at(-1)?.push({ name, text })
  }
  return stages
}

export type Image = {
  /** Root of its file system. */
  readonly folder: string
  /** Writable folder that is mounted at its volume. */
  readonly volume: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** @param folder empty, where the image is built. Needs root. */
export function buildImage(folder: string): Image {
  const [building = [], final = []] = stagesOf(readFileSync(join(root, 'Dockerfile'), 'utf8'))
  const [app, image, volume] = ['app', 'image', 'volume'].map((name) => join(folder, name)) as [string, string, string]
  const shell = [
    ...builderBase(app),
    ...stepsOf(building, app, root),
    ...distroless(image),
    ...stepsOf(final, image, app),
  ]
  mkdirSync(app, { recursive: true })
  const { entrypoint, command, environment, mounted } = startOf(final)
  const script = join(folder, 'build.sh')
  writeFileSync(script, ['set -eu', LOOPBACK, ...shell, `cp -a ${image}${mounted} ${volume}`, ''].join('\n'))
  execFileSync('unshare', [...NAMESPACES, 'sh', script], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH } })
  return { folder: image, volume, entrypoint, command, environment }
}

/** This machine's /usr in place of node:…-slim, read-only: a step writes to nothing but the folder. */
const builderBase = (app: string) => [
  `for name in usr dev proc; do mkdir -p ${app}/$name; mount --rbind /$name ${app}/$name; done`,
  `mount -o remount,bind,ro ${app}/usr`,
  `mkdir ${app}/etc && for name in passwd group alternatives ld.so.cache; do cp -a /etc/$name ${app}/etc/; done`,
  `for name in bin sbin lib lib64; do ln -s usr/$name ${app}/$name; done`,
  `mkdir -m 1777 ${app}/tmp`,
  `mount -t tmpfs tmpfs ${app}/usr/local/bin && touch ${app}/usr/local/bin/node`,
  `mount --bind ${process.execPath} ${app}/usr/local/bin/node`,
]

/** What gcr.io/distroless/cc-debian13:nonroot has, as far as it matters: the C library, a user, an empty /tmp. */
function distroless(image: string): string[] {
  const told = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
  const found = [...told.matchAll(/(?:=> )?(\/lib\S+)/g)].map(([, path = '']) => path)
  const ofBase = found.filter((path) => !path.includes('libatomic'))
  return [
    `mkdir -p ${image}/usr/lib64 ${image}/usr/lib ${image}/usr/bin ${image}/etc ${image}/dev ${image}/proc`,
    `for name in lib lib64; do ln -s usr/$name ${image}/$name; done`,
    `mkdir -m 1777 ${image}/tmp`,
    ...ofBase.map((path) => `mkdir -p ${image}/usr${dirname(path)} && cp -L ${path} ${image}/usr${path}`),
    `echo 'nonroot:x:${NONROOT}:${NONROOT}:nonroot:/home/nonroot:/sbin/nologin' > ${image}/etc/passwd`,
    `echo '127.0.0.1 localhost' > ${image}/etc/hosts`,
  ]
}

/** Shell commands of a stage's COPY and RUN steps. */
function stepsOf(stage: readonly Instruction[], to: string, from: string): string[] {
  let folder = '/'
  return stage.flatMap(({ name, text }) => {
    if (name === 'WORKDIR') {
      folder = text
      return [`mkdir -p ${to}${folder}`]
    }
    if (name === 'COPY') return copied(text, `${to}${folder}`, to, from)
    return name === 'RUN' ? ran(text, to, folder) : []
  })
}

/** COPY copies what is in a folder, not the folder. */
function copied(text: string, here: string, to: string, from: string): string[] {
  const words = text.split(' ')
  // From one stage to the next, links do: nothing is written to them any more.
  const copy = text.includes('--from=') ? 'cp -al' : 'cp -a'
  const isOwned = words.some((word) => word.startsWith('--chown=nonroot'))
  const [target = '', ...sources] = words.filter((word) => !word.startsWith('--')).reverse()
  const place = target.startsWith('/') ? `${to}${target}` : join(here, target) + (target.endsWith('/') ? '/' : '')
  return sources.flatMap((source) => [
    `if [ -d ${from}/${source} ]; then mkdir -p ${place} && ${copy} ${from}/${source}/. ${place}; else mkdir -p "$(dirname ${place}x)" && ${copy} ${from}/${source} ${place}; fi`,
    ...(isOwned ? [`chown -R ${NONROOT}:${NONROOT} ${place}`] : []),
  ])
}

function ran(text: string, to: string, folder: string): string[] {
  if (text.startsWith('apt-get ')) return []
  if (/\bnpm ci\b/.test(text)) installProduction(`${to}${folder}`)
  const here = text.replace(/\bnpm ci [^&]*/, 'true ').replaceAll("'", String.raw`'\''`)
  return [`chroot ${to} /bin/sh -c 'cd ${folder} && ${here}'`]
}

/** The packages that `npm ci --omit=dev --omit=optional` would install. */
function installProduction(folder: string): void {
  type Package = { readonly dev?: boolean; readonly optional?: boolean; readonly devOptional?: boolean }
  const { packages }: { packages: Record<string, Package> } = JSON.parse(
    readFileSync(join(root, 'package-lock.json'), 'utf8'),
  )
  for (const [path, { dev, optional, devOptional }] of Object.entries(packages)) {
    if (path === '' || dev || optional || devOptional) continue
    const source = join(root, path)
    const isOwn = (file: string) => !file.slice(source.length).includes('/node_modules')
    cpSync(source, join(folder, path), { recursive: true, dereference: true, filter: isOwn })
  }
}

/** How the image's container is started. */
function startOf(stage: readonly Instruction[]) {
  const textOf = (wanted: string) => stage.find(({ name }) => name === wanted)?.text ?? ''
  const [variable = '', value = ''] = textOf('ENV').split(/=(.*)/)
  return {
    entrypoint: JSON.parse(textOf('ENTRYPOINT')) as string[],
    command: JSON.parse(textOf('CMD')) as string[],
    environment: { [variable]: value },
    mounted: textOf('VOLUME'),
  }
}

/** Runs a command in the image as a container does: root read-only, its own /tmp and volume, the image's user and environment. */
export function runInImage(image: Image, words: readonly string[]): ChildProcessWithoutNullStreams {
  const mounts = [
    `cd ${image.folder}`,
    `mount --bind . . && cd ${image.folder} && mount -o remount,bind,ro .`,
    'mount -t tmpfs -o size=64m,mode=1777 tmpfs tmp',
    `mount --bind ${image.volume} data`,
    'mount --rbind /dev dev && mount --rbind /proc proc',
    `exec chroot --userspec=${NONROOT}:${NONROOT} . "$@"`,
  ]
  const script = ['set -eu', LOOPBACK, ...mounts].join('\n')
  const env = { PATH, ...image.environment }
  return spawn('unshare', [...NAMESPACES, 'sh', '-c', script, 'in-image', ...words], { env })
}

/** Whether this process may make mounts and a network of its own, as root mostly may. */
export const canBuild = () =>
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', [...NAMESPACES, 'true'], { stdio: 'ignore' }).status === 0

/** As `docker exec`. @returns what it printed. Throws when it fails. */
export function execInImage(running: ChildProcessWithoutNullStreams, words: readonly string[]): string {
  const target = ['--target', String(running.pid), '--mount', '--net', '--root', '--wd', '--setuid', String(NONROOT)]
  return execFileSync('nsenter', [...target, ...words], { encoding: 'utf8', env: { PATH: '/usr/bin' } })
}

/** The command of HEALTHCHECK. */
export function healthCheck(): string[] {
  const [, final = []] = stagesOf(readFileSync(join(root, 'Dockerfile'), 'utf8'))
  const text = final.find(({ name }) => name === 'HEALTHCHECK')?.text ?? ''
  return JSON.parse(text.slice(text.indexOf('CMD') + 'CMD'.length))
}

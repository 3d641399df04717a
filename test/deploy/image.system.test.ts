/** Checks of the Dockerfile that need no build. */

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'

const root = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const dockerfile = read('Dockerfile')

/** Shared libraries of gcr.io/distroless/cc-debian13 that Node needs: from libc6, libgcc-s1 and libstdc++6. */
const OF_THE_BASE = ['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6']

test.runIf(process.platform === 'linux')(
  'the Dockerfile copies exactly the libraries that Node needs and the base image lacks',
  () => {
    const needed = [...execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).matchAll(/^\s+(lib\S+) =>/gm)]
    const missing = needed.map(([, name = '']) => name).filter((name) => !OF_THE_BASE.includes(name))
    const brought = [...dockerfile.matchAll(/cp -L "\$\(ldd \S+ \| awk '\/(lib\w+)\/ /g)].map(([, name]) => name)
    expect(brought).toEqual(missing.map((name) => name.split('.')[0]))
  },
)

test('every base image is pinned by its digest', () => {
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image)
  expect(bases).toHaveLength(2)
  expect(bases.filter((image) => !/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/.test(image))).toEqual([])
})

test('Node comes from the official image in the pinned version, and npm installs no other Node', () => {
  const [, version] = /^FROM node:([\d.]+)-\w+-slim@\S+ AS app$/m.exec(dockerfile) ?? []
  expect(new Set(Object.values(JSON.parse(read('package.json')).optionalDependencies))).toEqual(new Set([version]))
  expect(dockerfile).toMatch(/ npm ci --omit=dev --omit=optional /)
  expect(dockerfile).toContain(' cp /usr/local/bin/node /usr-of-image/bin/ ')
})

test('NODE_OPTIONS disables the inspector on SIGUSR1', () => {
  const [, options = ''] = /^ENV NODE_OPTIONS=(.*)$/m.exec(dockerfile) ?? []
  expect(options.split(' ')).toContain('--disable-sigusr1')
})

test('the image that libraries are copied from has the same Debian release as the base image', () => {
  const releases: Record<string, string> = { bookworm: '12', trixie: '13' }
  const [, codename = ''] = /^FROM node:[\d.]+-(\w+)-slim@\S+ AS app$/m.exec(dockerfile) ?? []
  const [, release] = /^FROM gcr\.io\/distroless\/cc-debian(\d+):nonroot@\S+$/m.exec(dockerfile) ?? []
  expect(releases[codename]).toBe(release)
})

test('every file that the Dockerfile copies exists and is allowed by .dockerignore', () => {
  const sources = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))
  expect(sources.filter((name) => !existsSync(join(root, name)))).toEqual([])
  expect(sources.map((name) => `!${name}`).sort()).toEqual(read('.dockerignore').trim().split('\n').slice(1).sort())
})

test('the image runs as nonroot, and its command and configuration file exist', () => {
  expect(dockerfile).toMatch(/^USER nonroot$/m)
  const [, config = ''] = /^CMD \["run", "--config", "(.*)"\]$/m.exec(dockerfile) ?? []
  expect(dockerfile).toContain(`COPY proxy.yaml ${config.replace('proxy.yaml', '')}`)
  const [, command = ''] = /^ENTRYPOINT \["(.*)"\]$/m.exec(dockerfile) ?? []
  const [, script = ''] = / ln -s \/app\/(\S+) \S+\/bin\/(\S+)$/m.exec(dockerfile) ?? []
  expect(dockerfile).toMatch(new RegExp(` ln -s /app/${script} \\S+/bin/${command}$`, 'm'))
  expect(existsSync(join(root, script))).toBe(true)
})

test('the default checkpoint store is in the volume of the image', () => {
  const stage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '))
  const [, folder = ''] = /^WORKDIR (\S+)$/m.exec(stage) ?? []
  const [, volume] = /^VOLUME (\S+)$/m.exec(stage) ?? []
  const shortest = loadConfig('upstreams: { api: { url: http://api:8000 } }', 'shortest', {})
  const place = shortest.ok ? shortest.config.checkpoints.store : undefined
  expect(place).toMatchObject({ kind: 'file' })
  expect(place?.kind === 'file' && resolve(folder, place.folder)).toBe(volume)
})

/** Checks config/compose.yaml with docker-compose, and that its parts agree with each other. */

import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { listening } from '../support/ports.ts'

type Service = {
  readonly image: string
  readonly network_mode?: string
  readonly networks?: readonly string[]
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] }
  readonly tmpfs?: readonly string[]
  readonly mem_limit?: string
}

const folder = join(import.meta.dirname, '../../config')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const compose: { services: Record<string, Service>; volumes: object; networks: object } = parse(read('compose.yaml'))
const TOKEN = '0123456789abcdef0123456789abcdef'
const isThere = (program: string) => spawnSync(program, ['--version']).status === 0
const hasCompose = isThere('docker-compose')
const hasPromtool = isThere('promtool')

function service(name: string): Service {
  const found = compose.services[name]
  if (found === undefined) throw new Error(`no service ${name}`)
  return found
}

function configured() {
  const loaded = loadConfig(read('compose/breakwater/proxy.yaml'), 'proxy.yaml', { BREAKWATER_TOKEN: TOKEN })
  if (!loaded.ok) throw new Error('faulty')
  return loaded.config
}

/** The volumes of a service, `source:target[:ro]`, split at the colons. */
const mountsOf = (name: string) => (service(name).volumes ?? []).map((mount) => mount.split(':'))

needs('docker-compose', hasCompose)
needs('prometheus', hasPromtool)

test.runIf(hasCompose)('docker-compose accepts the file, and refuses it without BREAKWATER_TOKEN', () => {
  const check = (env: Record<string, string>) =>
    spawnSync('docker-compose', ['--file', 'compose.yaml', 'config', '--quiet'], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
    })
  expect(check({ BREAKWATER_TOKEN: TOKEN })).toMatchObject({ status: 0, stderr: '' })
  expect(check({}).stderr).toContain('make one with openssl rand -hex 32')
})

test('the worker and the sidecar share the network namespace of worker-pod', () => {
  const [pod = ''] = ['breakwater', 'make-video-clip-celery'].map((name) => service(name).network_mode)
  expect(pod).toBe('service:worker-pod')
  expect(service('make-video-clip-celery').network_mode).toBe(pod)
  expect(service('worker-pod').networks).toEqual(['ytcaption-network'])
})

test('the worker depends on a healthy sidecar, so it starts after it and stops before it', () => {
  expect(service('make-video-clip-celery').depends_on).toMatchObject({ breakwater: { condition: 'service_healthy' } })
})

test('the health check of the sidecar succeeds once /startupz answers 200', async (t) => {
  const [, program, ...script] = service('breakwater').healthcheck?.test ?? []
  expect(program).toBe('node')
  const { host, port } = configured().control.listen
  let status = 503
  const control = createServer(({ url }, response) => response.writeHead(url === '/startupz' ? status : 404).end())
  t.onTestFinished(() => void control.close())
  const controlPort = await listening(control)
  const here = script.map((word) => word.replace(`//${host}:${port}/`, `//127.0.0.1:${controlPort}/`))
  const exitCode = () =>
    new Promise((resolve) => spawn(process.execPath, here, { stdio: 'ignore' }).once('exit', resolve))
  expect(await exitCode()).toBe(1)
  status = 200
  expect(await exitCode()).toBe(0)
})

test("the worker's base URLs are the sidecar's listeners; all listeners except metrics are on loopback", () => {
  const { upstreams, control } = configured()
  const { environment } = service('make-video-clip-celery')
  const names = ['YOUTUBE_SEARCH_URL', 'VIDEO_DOWNLOADER_URL', 'AUDIO_TRANSCRIBER_URL']
  expect(names.map((name) => environment?.[name])).toEqual(
    upstreams.map(({ listen }) => listen && `http://${listen.host}:${listen.port}`),
  )
  expect([control.listen, ...upstreams.map(({ listen }) => listen)].map((address) => address?.host)).toEqual(
    Array(4).fill('127.0.0.1'),
  )
})

test('only the API keeps the health check of the make-video image, since it requests the port of the API', () => {
  const ofItsImage = Object.keys(compose.services).filter((name) => service(name).image.includes('MAKE_VIDEO_IMAGE'))
  expect(ofItsImage.filter((name) => service(name).healthcheck?.disable !== true)).toEqual(['make-video-clip'])
})

test('the worker and the API mount the same data volume at the same path', () => {
  expect(mountsOf('make-video-clip-celery')).toEqual([['make-video-data', '/app/data']])
  expect(mountsOf('make-video-clip')).toEqual(mountsOf('make-video-clip-celery'))
})

test('mem_limit of the sidecar leaves 256 MiB beside a full /tmp, which holds the largest body buffer', () => {
  const { tmpfs = [], mem_limit = '' } = service('breakwater')
  const [, tmpMiB] = /^\/tmp:size=(\d+)m$/.exec(tmpfs[0] ?? '') ?? []
  const [, allMiB] = /^(\d+)m$/.exec(mem_limit) ?? []
  expect(Number(allMiB) - Number(tmpMiB)).toBeGreaterThanOrEqual(256)
  const largest = Math.max(...configured().upstreams.map(({ retry }) => retry.bodyBuffer.diskBytes))
  expect(Number(tmpMiB) * 2 ** 20).toBeGreaterThanOrEqual(largest)
})

test('/tmp is larger than the limits of the disk check and all kept bodies together', () => {
  const [, tmpMiB] = /^\/tmp:size=(\d+)m$/.exec(service('breakwater').tmpfs?.[0] ?? '') ?? []
  const tmp = Number(tmpMiB) * 2 ** 20
  const { bodies, health } = configured()
  expect(health.disk).toMatchObject({ path: '/tmp' })
  expect(health.disk.warnBelow).toBeLessThan(tmp)
  // A full body buffer is no failing disk.
  expect(bodies.disk + health.disk.failBelow).toBeLessThan(tmp)
})

test('every mount, dependency and network that a service names exists', () => {
  for (const [name, { depends_on = [], networks = [] }] of Object.entries(compose.services)) {
    for (const [source = ''] of mountsOf(name)) {
      if (source.startsWith('.')) expect(existsSync(join(folder, source)), source).toBe(true)
      else expect(compose.volumes).toHaveProperty([source])
    }
    for (const other of Array.isArray(depends_on) ? depends_on : Object.keys(depends_on)) service(other)
    for (const network of networks) expect(compose.networks).toHaveProperty([network])
  }
})

test('ports are published on 127.0.0.1 only, and the sidecar publishes none', () => {
  const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports)
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  expect(ports).toHaveLength(3)
  expect(service('breakwater').ports).toBeUndefined()
})

test('the configuration folder is mounted where the command of the image reads it', () => {
  const dockerfile = readFileSync(join(folder, '../Dockerfile'), 'utf8')
  const [source, target] = mountsOf('breakwater')[0] ?? []
  expect(source).toBe('./compose/breakwater')
  expect(dockerfile).toContain(`CMD ["run", "--config", "${target}/proxy.yaml"]`)
})

test("Prometheus scrapes the sidecar's own listener for metrics", () => {
  const [job] = parse(read('compose/prometheus.yml')).scrape_configs
  expect(job.static_configs[0].targets).toEqual([`worker-pod:${configured().control.metricsListen?.port}`])
})

test.runIf(hasPromtool)('promtool accepts the Prometheus configuration with the mounted rules', (t) => {
  const etc = temporaryFolder(t)
  for (const [source = '', target = ''] of mountsOf('prometheus').filter(([from = '']) => from.startsWith('.')))
    cpSync(join(folder, source), join(etc, target.replace('/etc/prometheus/', '')))
  const { stdout, status } = spawnSync('promtool', ['check', 'config', join(etc, 'prometheus.yml')], {
    encoding: 'utf8',
  })
  expect([stdout, status]).toEqual([expect.stringContaining('SUCCESS: 1 rule files found'), 0])
})

test('Grafana has Prometheus as data source, and the dashboard is mounted in the folder that it reads', () => {
  const [source] = parse(read('compose/grafana/datasource.yaml')).datasources
  const { hostname, port } = new URL(source.url)
  expect(service(hostname).ports).toEqual([`127.0.0.1:${port}:${port}`])
  const [provider] = parse(read('compose/grafana/dashboards.yaml')).providers
  const dashboards = mountsOf('grafana').find(([, target]) => target === provider.options.path)?.[0] ?? ''
  const { templating } = JSON.parse(read(join(dashboards, 'dashboard.json')))
  expect(templating.list[0]).toMatchObject({ type: 'datasource', query: source.type })
})

import { expect, type TestContext, test } from 'vitest'
import { judgeDisk, lookAtDisk } from '../../../src/control/health/disk.ts'
import { type Check, Degraded, HealthReport } from '../../../src/control/health/report.ts'
import { UpstreamHealth } from '../../../src/control/health/upstream.ts'
import { ask } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { startProxy } from '../../support/proxy.ts'
import { scriptedUpstream } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const ABOUT = { service: 'make-video', version: '1.0.0' }
const check = (name: string, look: Check['look'], rest: Partial<Check> = {}): Check => ({
  name,
  critical: false,
  limitMs: 2_000,
  isTimed: true,
  isUnasked: false,
  look,
  ...rest,
})

test('health: checks run in parallel, each with its timeout; a hung check is not started again', async () => {
  const clock = fakeClock()
  let hung = 0
  const hangs = () => {
    hung += 1
    return new Promise<string>(() => {})
  }
  const well = async () => 'ok'
  const checks = [
    check('slow', hangs, { limitMs: 500 }),
    check('well', well, { isTimed: false }),
    check('hung', hangs, { critical: true }),
  ]
  const report = new HealthReport(checks, ABOUT, clock)
  const first = report.report()
  await clock.advance(2_000)
  expect(await first).toEqual({
    status: 'unhealthy',
    ...ABOUT,
    checks: {
      slow: { healthy: false, details: 'no answer within 0.5s', latency_ms: 500 },
      well: { healthy: true, details: 'ok' },
      hung: { healthy: false, details: 'no answer within 2s', latency_ms: 2_000 },
    },
    timestamp: '2026-01-01T00:00:02.000Z',
  })
  const second = report.report()
  await clock.advance(2_000)
  expect((await second).status).toBe('unhealthy')
  expect(hung).toBe(2)
})

test('health: a check runs at most once a second; a failed check that is not critical gives degraded', async () => {
  const clock = fakeClock()
  let looks = 0
  const fails = async () => {
    looks += 1
    throw new Error('broken')
  }
  const report = new HealthReport([check('extra', fails)], ABOUT, clock)
  const all = await Promise.all(Array.from({ length: 1_000 }, () => report.report()))
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['degraded']))
  await clock.advance(999)
  await report.report()
  expect(looks).toBe(1)
  await clock.advance(1)
  await report.report()
  expect(looks).toBe(2)
})

test('health: the disk is reported as in make-video', async () => {
  const told = await lookAtDisk({ path: '/tmp', warnBelow: 0, failBelow: 0 })
  expect(told).toMatch(/^[\d.]+[GM]B free \/ [\d.]+[GM]B total \(\d+\.\d% used\)$/)
  await expect(lookAtDisk({ path: '/nowhere', warnBelow: 0, failBelow: 0 })).rejects.toThrow('ENOENT')
})

const GB = 1e9
const SHIPPED = { warnBelow: 5 * GB, failBelow: GB }

test.each([
  [40 * GB, 20 * GB, SHIPPED, '20.0GB free / 40.0GB total (50.0% used)'],
  [40 * GB, 4 * GB, SHIPPED, 'Degraded: 4.0GB free / 40.0GB total (90.0% used): little, under 5.0GB'],
  [40 * GB, 0.5 * GB, SHIPPED, 'Error: 500MB free / 40.0GB total (98.8% used): less than 1.0GB free'],
  // A tmpfs of 256 MB.
  [0.256 * GB, 0.256 * GB, SHIPPED, '256MB free / 256MB total (0.0% used)'],
  [
    0.256 * GB,
    0.04 * GB,
    SHIPPED,
    'Degraded: 40MB free / 256MB total (84.4% used): little, under 51MB, as warnBelow of 5.0GB is more than there is',
  ],
  [
    0.256 * GB,
    0.02 * GB,
    SHIPPED,
    'Error: 20MB free / 256MB total (92.2% used): less than 25MB free, as failBelow of 1.0GB is more than there is',
  ],
  [0.256 * GB, 0, { warnBelow: 0, failBelow: 0 }, '0MB free / 256MB total (100.0% used)'],
])('health: of %d bytes %d are free', (total, free, limits, told) => {
  const judged = () => {
    try {
      return judgeDisk({ free, total }, limits)
    } catch (error) {
      return `${error instanceof Degraded ? 'Degraded' : 'Error'}: ${(error as Error).message}`
    }
  }
  expect(judged()).toBe(told)
})

test('health: what still serves with a reservation is degraded, also where its check is critical', async () => {
  const little = async () => {
    throw new Degraded('little')
  }
  const report = new HealthReport([check('disk_space', little, { critical: true })], ABOUT, fakeClock())
  const { status, checks } = await report.report()
  expect([status, checks.disk_space]).toEqual([
    'degraded',
    { healthy: true, degraded: true, details: 'little', latency_ms: 0 },
  ])
})

async function upstreamHealth(t: TestContext, script: Parameters<typeof scriptedUpstream>[2], path?: string) {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, script)
  const tls = { ca: '', servername: '', cert: '', key: '' }
  const settings = { url: upstream.origin, path, timeoutMs: 5_000, intervalMs: 15_000, ...tls }
  return { clock, upstream, health: new UpstreamHealth(settings, clock) }
}

test('health: an upstream is requested at its health path, at most once per interval', async (t) => {
  const { clock, upstream, health } = await upstreamHealth(t, [{ status: 503 }, { status: 200 }], '/health?deep=1')
  await expect(health.look()).rejects.toThrow('HTTP 503')
  await clock.advance(14_999)
  await expect(health.look()).rejects.toThrow('HTTP 503')
  await clock.advance(1)
  expect(await health.look()).toBe('HTTP 200')
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/health?deep=1', '/health?deep=1'])
})

test('health: without a health path any answer below 500 is healthy', async (t) => {
  const found = await upstreamHealth(t, [{ status: 404 }])
  expect(await found.health.look()).toBe('HTTP 404')
  const broken = await upstreamHealth(t, [{ status: 500 }])
  await expect(broken.health.look()).rejects.toThrow('HTTP 500')
})

test("GET /health: answers in make-video's shape", async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 200 }])
  const proxy = await startProxy(t, {
    clock,
    top: { health: { critical: ['checkpoint_store', 'video_downloader'], disk: { warnBelow: '0B', failBelow: '0B' } } },
    upstreams: {
      'video-downloader': { url: upstream.origin, health: { path: '/health', timeout: '5s' } },
      'audio-transcriber': { url: 'http://127.0.0.1:9' },
    },
  })
  const answer = await ask(`${proxy.controlUrl}/health`)
  expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
    200,
    {
      status: 'degraded',
      service: 'test',
      version: 'test',
      checks: {
        checkpoint_store: { healthy: true, details: 'write, read and delete ok', latency_ms: 0 },
        disk_space: { healthy: true, details: expect.stringMatching(/GB free/) },
        video_downloader: { healthy: true, details: 'HTTP 200', latency_ms: 0 },
        audio_transcriber: { healthy: false, details: 'ECONNREFUSED', latency_ms: 0 },
      },
      timestamp: '2026-01-01T00:00:00.000Z',
    },
  ])
})

test('control.metricsListen: serves metrics and probes, and nothing else', async (t) => {
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    top: { control: { listen: '127.0.0.1:0', token: 'secret', metricsListen: '127.0.0.1:0' } },
    upstreams: { web: { url: 'http://127.0.0.1:9' } },
  })
  const { address } = await proxy.logged(({ name }) => name === 'control.metricsListen')
  const status = async (path: string) => (await ask(`http://${address}${path}`)).status
  expect(await Promise.all(['/metrics', '/livez', '/readyz', '/startupz'].map(status))).toEqual([200, 200, 200, 200])
  expect(await Promise.all(['/health', '/v1/checkpoints', '/openapi.json'].map(status))).toEqual([404, 404, 404])
})

test('health: a healthy response lets an open breaker probe early; an unhealthy one does not', async (t) => {
  const down = { status: 500 }
  const { clock, upstream, proxy, url } = await withSidecar(
    t,
    [down, down, { status: 503 }, { status: 200 }, { body: 'well' }],
    {
      defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 2, openFor: '60s' } },
      web: { health: { path: '/health', interval: '10s' } },
    },
  )
  const get = async () => (await ask(url)).status
  expect([await get(), await get(), await get()]).toEqual([500, 500, 503])
  await clock.advance(10_000)
  await upstream.arrival(3)
  expect(await get()).toBe(503)
  await clock.advance(10_000)
  await upstream.arrival(4)
  await expect.poll(get, { interval: 5 }).toBe(200)
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/', '/', '/health', '/health', '/'])
  const transitions = proxy.log.filter(({ msg }) => msg?.startsWith('breaker')).map(({ msg }) => msg)
  expect(transitions).toEqual(['breaker open', 'breaker half-open', 'breaker closed'])
})

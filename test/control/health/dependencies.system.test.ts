/** Runs the health checks against a real Redis and real Celery workers. */

import { NO_TLS } from '../../checkpoint/store-contract.ts'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import { expect, type TestContext, test } from 'vitest'
import { storePlace } from '../../../src/checkpoint/place.ts'
import { RedisClient } from '../../../src/checkpoint/redis/client.ts'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { CeleryHealth, type CelerySettings } from '../../../src/control/health/celery.ts'
import { ask } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { needs } from '../../support/needs.ts'
import { freePort } from '../../support/ports.ts'
import { startProxy } from '../../support/proxy.ts'
import { hasCelery, PYTHON } from '../../support/python.ts'
import { hasRedis, startRedis } from '../../support/redis.ts'
import { until } from '../../support/until.ts'

needs('redis-server', hasRedis)
needs('celery', hasCelery)

const hasBoth = hasRedis && hasCelery
const WORKER = `
import os, time
from celery import Celery
app = Celery("videos", broker=os.environ["BROKER_URL"])
app.conf.task_ignore_result = True
app.conf.worker_enable_remote_control = "DEAF" not in os.environ
app.conf.broker_transport_options = {"global_keyprefix": os.environ.get("PREFIX", "")}
@app.task(name="wait")
def wait(seconds):
    time.sleep(seconds)
app.worker_main(["worker", "--pool", os.environ.get("POOL", "threads"), "--concurrency", "4", "-n", os.environ["NAME"] + "@test", "-l", "error"])
`
const SEND = `
import os
from celery import Celery
app = Celery("videos", broker=os.environ["BROKER_URL"])
app.conf.broker_transport_options = {"global_keyprefix": os.environ.get("PREFIX", "")}
for _ in range(int(os.environ["TASKS"])): app.send_task("wait", args=[60])
`

function python(t: TestContext, program: string, env: Record<string, string>): ChildProcess {
  const child = spawn(PYTHON, ['-c', program], {
    env: { ...process.env, PYTHONWARNINGS: 'ignore', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function client(t: TestContext, url: string): Promise<RedisClient> {
  const place = storePlace(url)
  if (place?.kind !== 'redis') throw new Error(`${url} is no Redis`)
  const redis = new RedisClient(place.target, NO_TLS, systemClock)
  t.onTestFinished(() => redis.close())
  await redis.connect()
  return redis
}

const SETTINGS = { db: 4, timeoutMs: 5_000, keyPrefix: '', queues: [], busyForMs: 0 }

async function startBroker(t: TestContext) {
  const { port, command } = await startRedis(t)
  const url = `redis://127.0.0.1:${port}/4`
  const redis = await client(t, url)
  const health = (settings: Partial<CelerySettings> = {}, clock: Clock = systemClock) =>
    new CeleryHealth(redis, { ...SETTINGS, ...settings }, randomUUID, clock)
  const told = (one: CeleryHealth) => one.look().catch((error: Error) => `failed: ${error.message}`)
  return { env: { BROKER_URL: url }, command, health, told }
}

test.runIf(hasBoth)(
  'Celery check: reports no worker, two workers with three tasks, one silent worker, and none that answers',
  { timeout: 60_000 },
  async (t) => {
    const { env, command, health, told } = await startBroker(t)
    const workers = health()
    expect(await told(workers)).toBe('failed: no workers')
    const [first, second] = ['one', 'two'].map((NAME) => python(t, WORKER, { ...env, NAME }))
    await until(async () => (await told(workers)) === '2 worker(s), 0 active task(s)')
    python(t, SEND, { ...env, TASKS: '3' })
    await until(async () => (await told(workers)) === '2 worker(s), 3 active task(s)')

    second?.kill('SIGSTOP')
    expect(await health({ timeoutMs: 300 }).look()).toMatch(
      /^1 worker\(s\), \d active task\(s\), 1 worker\(s\) silent$/,
    )
    first?.kill('SIGSTOP')
    await expect(health({ timeoutMs: 300 }).look()).rejects.toThrow('none of 2 worker(s) answered within 0.3s')
    // The checks leave no reply queue behind in Redis.
    expect(await command('SMEMBERS', '_kombu.binding.reply.celery.pidbox')).toEqual([])
  },
)

test.runIf(hasBoth)(
  'Celery check: a busy worker of --pool=solo is busy until busyFor; without remote control it is unknown, not absent',
  { timeout: 60_000 },
  async (t) => {
    const { env, health, told } = await startBroker(t)
    const ofPrefix = { ...env, PREFIX: 'videos:', POOL: 'solo' }
    const clock = fakeClock()
    const settings = { keyPrefix: 'videos:', queues: ['celery'], busyForMs: 3_600_000 }
    const [solo, deaf] = [health(settings), health({ ...settings, queues: [] })]
    const worker = python(t, WORKER, { ...ofPrefix, NAME: 'solo' })
    await until(async () => (await told(solo)) === '1 worker(s), 0 active task(s), 0 task(s) waiting')
    expect(await told(health())).toBe(
      'unknown: no worker listens on /4.celery.pidbox, 1 connection(s) take tasks: workers without remote control, or with another health.celery.keyPrefix',
    )
    python(t, SEND, { ...ofPrefix, TASKS: '7' })
    // One task runs, and a prefetched one waits within the worker; how many are left depends on its prefetching.
    const busy = /^1 worker\(s\), busy: none has answered, as with --pool=solo while a task runs, \d task\(s\) waiting$/
    await until(async () => busy.test(await told(health({ ...settings, timeoutMs: 50 }))))

    // The hour passes on a clock of the test's own.
    const onClock = health({ ...settings, timeoutMs: 0 }, clock)
    expect(await told(onClock)).toMatch(busy)
    await clock.advance(90_000)
    expect(await told(onClock)).toMatch(/none has answered for 90s, as with --pool=solo/)
    await clock.advance(3_600_000)
    expect(await told(onClock)).toMatch(/^failed: none of 1 worker\(s\) has answered for 60 min \(busyFor\), \d task/)

    worker.kill('SIGKILL')
    await until(async () => (await told(deaf)) === 'failed: no workers')
    const second = python(t, WORKER, { ...ofPrefix, NAME: 'deaf', DEAF: 'yes' })
    // It takes the tasks that are left, so it is busy at once: known by its connection all the same.
    await until(async () => (await told(deaf)).startsWith('unknown: no worker listens on videos:/4.celery.pidbox, 1 '))
    second.kill('SIGKILL')
    await until(async () => (await told(deaf)) === 'failed: no workers')
  },
)

test.runIf(hasRedis)(
  'health report: shows a healthy and a hanging Redis; no hanging check delays the report or /livez',
  { timeout: 30_000 },
  async (t) => {
    const redis = await startRedis(t)
    const url = `redis://127.0.0.1:${redis.port}`
    const proxy = await startProxy(t, {
      clock: systemClock,
      top: {
        health: {
          redis: url,
          celery: { broker: `${url}/1`, timeout: '200ms' },
          disk: { failBelow: '0B', warnBelow: '0B' },
        },
      },
      upstreams: { hung: { url: `http://127.0.0.1:${await hungPort(t)}`, health: { path: '/health', timeout: '1s' } } },
    })
    const report = async () => {
      const startedAt = performance.now()
      const { status, body } = await ask(`${proxy.controlUrl}/health`)
      return { status, ms: performance.now() - startedAt, checks: JSON.parse(body.toString()).checks }
    }
    await until(async () => (await report()).checks.redis.healthy)
    const well = await report()
    expect([well.status, well.checks.redis, well.checks.celery_workers, well.checks.hung.details]).toEqual([
      200,
      { healthy: true, details: 'PING, SET and GET ok', latency_ms: expect.any(Number) },
      { healthy: false, details: 'no workers', latency_ms: expect.any(Number) },
      'no answer within 1s',
    ])
    redis.process.kill('SIGSTOP')
    await until(async () => !(await report()).checks.redis.healthy)
    const hanging = await report()
    expect(hanging.ms).toBeLessThan(3_000)
    expect(hanging.checks.celery_workers.healthy).toBe(false)
    const startedAt = performance.now()
    const asked = ask(`${proxy.controlUrl}/health`)
    expect((await ask(`${proxy.controlUrl}/livez`)).status).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(50)
    await asked
  },
)

/** A port that accepts connections and never answers. */
async function hungPort(t: TestContext): Promise<number> {
  const port = await freePort()
  const server = createServer(() => {})
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.onTestFinished(() => void server.close())
  return port
}

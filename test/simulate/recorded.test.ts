import { expect, test } from 'vitest'
import { recordedRun, replay } from '../../src/simulate/replay.ts'
import { compared } from '../../src/simulate/report/outcomes.ts'
import { ask, openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { BY_DEFAULT, configOf, logOf } from './support.ts'

const json = (body: object): Scene => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const FAILS: Scene = { status: 503 }
/** Closes the connection before the announced end of a body that is too long to be repeated. */
const BREAKS_OFF: Scene = (_, response) => {
  response.writeHead(200, { 'content-length': '1000000' })
  response.write('half', () => response.socket?.destroy())
}

const ROUTES = [
  { match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } },
  { match: 'GET /held/{id}', hold: { json: '/state/now', in: ['processing'], upTo: '5s', every: '1s' } },
]

/** Starts a sidecar before a scripted upstream. `asks` sends a request; `config` is the configuration in force. */
async function recorder(t: Scope, scenes: readonly Scene[], policies: object) {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, scenes)
  const upstreams = { api: { url: upstream.origin, routes: ROUTES, ...policies } }
  const proxy = await startProxy(t, { clock, upstreams })
  /** @param waits delays in ms, of retries or timeouts, that pass before the response. */
  const asks = async (path: string, waits: readonly number[] = [], method = 'GET') => {
    await clock.advance(10)
    const asked = ask(`${proxy.url}/api${path}`, { method }).catch(() => undefined)
    for (const ms of waits) await clock.elapse(ms)
    return (await asked)?.status
  }
  return { clock, upstream, proxy, asks, config: configOf({ upstreams }) }
}

/** Replays the log, and returns the figures of the replay and of the recorded run. */
async function replayed(lines: readonly object[], config: ReturnType<typeof configOf>) {
  const log = await logOf(lines)
  const recorded = recordedRun(log)
  const { tally, calls } = await replay(log, config, BY_DEFAULT, 1)
  return { recorded, tally, calls, comparison: compared(recorded.endings, tally.endings) }
}

test('replay: with the recorded configuration every request and every call ends as it was recorded', async (t) => {
  const scenes: Scene[] = [
    json({ status: 'processing' }),
    ...[FAILS, {}],
    FAILS,
    ...['hang' as const, {}],
    BREAKS_OFF,
    ...[FAILS, FAILS],
    {},
    ...[1, 2, 3].map(() => json({ status: 'failed' })),
    json({ status: 'completed' }),
    ...[
      json({ state: { now: 'processing' } }),
      json({ state: { now: 'processing' } }),
      json({ state: { now: 'done' } }),
    ],
    'hang',
  ]
  const policies = {
    timeout: { attempt: '2s', total: '20s' },
    retry: { attempts: 3, backoff: { initial: '100ms', jitter: 0 } },
    breaker: { consecutiveFailures: 3, failureRate: false, openFor: '30s', patience: '0ms' },
  }
  const { clock, upstream, proxy, asks, config } = await recorder(t, scenes, policies)
  const statuses = [
    await asks('/jobs/1'),
    await asks('/a', [100]),
    await asks('/a', [], 'POST'),
    await asks('/a', [2_000, 100]),
    await asks('/a'),
    await asks('/a', [100]),
    await asks('/a'),
  ]
  expect(statuses).toEqual([200, 200, 503, 200, undefined, 503, 503])
  await clock.advance(31_500)
  expect(await asks('/a')).toBe(200)
  for (const id of [2, 3, 4]) expect(await asks(`/jobs/${id}`)).toBe(200)
  expect(await asks('/a')).toBe(503)
  await clock.advance(63_000)
  expect(await asks('/jobs/5')).toBe(200)
  expect(await asks('/held/1', [1_000, 1_000])).toBe(200)
  const leaving = openRaw(Number(new URL(proxy.url).port))
  leaving.send('GET /api/a HTTP/1.1\r\nhost: x\r\n\r\n')
  await upstream.arrival(upstream.arrivals.length + 1)
  await clock.advance(500)
  leaving.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')

  const { recorded, tally, calls, comparison } = await replayed(proxy.log, config)
  const requests = proxy.log.filter(({ msg }) => msg === 'request').length
  expect(comparison).toMatchObject({ requests, same: requests, saved: 0, lost: 0 })
  const [before, after] = [recorded.figures(), tally.figures()]
  // The open time of a breaker has a random part.
  const withoutOpenTimes = ({ breakers, ...figures }: typeof before) => ({
    ...figures,
    breakers: breakers.map(({ openMs: _, ...change }) => change),
  })
  expect(withoutOpenTimes(after)).toEqual(withoutOpenTimes(before))
  expect([after.calls, calls]).toEqual([upstream.arrivals.length, { recorded: after.calls, assumed: 0 }])
  expect(after.breakers.map(({ to, cause }) => [to, cause])).toEqual([
    ['open', 'consecutive'],
    ['half-open', undefined],
    ['closed', undefined],
    ['open', 'jobs'],
    ['half-open', undefined],
    ['closed', undefined],
  ])
})

test('replay: a resumed download is resumed again', async (t) => {
  const etag = { etag: '"1"', 'accept-ranges': 'bytes' }
  const scenes: Scene[] = [
    (_, response) => {
      response.writeHead(200, { ...etag, 'content-length': '10' })
      response.write('01234', () => response.socket?.destroy())
    },
    { status: 206, headers: { ...etag, 'content-range': 'bytes 5-9/10' }, body: '56789' },
  ]
  const policies = { routes: [{ match: 'GET /file', resume: true }], retry: { backoff: { initial: '1s', jitter: 0 } } }
  const { proxy, asks, config } = await recorder(t, scenes, policies)
  expect(await asks('/file', [1_000])).toBe(200)
  const { recorded, tally } = await replayed(proxy.log, config)
  for (const run of [recorded, tally])
    expect(run.figures()).toMatchObject({ calls: 2, retries: 1, endings: { 200: 1 } })
})

test('replay: queued requests wait again, and queue_full and queue_timeout happen again', async (t) => {
  const policies = { concurrency: { max: 1, queue: 1, queueTimeout: '3s' }, retry: { attempts: 1 } }
  const { clock, upstream, proxy, config } = await recorder(t, ['hang'], { ...policies, timeout: { total: '5s' } })
  const asked = [ask(`${proxy.url}/api/a`)]
  await upstream.arrival(1)
  await clock.advance(10)
  asked.push(ask(`${proxy.url}/api/b`))
  await clock.armed(3_000)
  await clock.advance(10)
  expect((await ask(`${proxy.url}/api/c`)).status).toBe(503)
  await clock.advance(5_000)
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([504, 503])
  const { recorded, tally } = await replayed(proxy.log, config)
  expect(tally.figures().endings).toEqual({ '504 total_timeout': 1, '503 queue_timeout': 1, '503 queue_full': 1 })
  expect(tally.figures()).toEqual(recorded.figures())
})

/** One scene for each policy: what is configured, how the upstream behaves, when clients ask. */

import type { Scene } from './record.ts'

const every = (stepMs: number, count: number, path?: string) =>
  Array.from({ length: count }, (_, i) => ({ at: i * stepMs, ...(path !== undefined && { path }) }))

const STILL = { breaker: { consecutiveFailures: 1_000, failureRate: false } }
const ONCE = { ...STILL, retry: { attempts: 1 } }

export const SCENES: Readonly<Record<string, Scene>> = {
  timeouts: {
    title: 'timeout: { attempt: 12s, total: 25s }, before an upstream that does not answer',
    upstream: { ...STILL, timeout: { attempt: '12s', total: '25s' } },
    services: () => ({ web: () => undefined }),
    requests: [{ at: 0 }],
    untilMs: 28_000,
  },
  retries: {
    title: 'retry: 2 s and 4 s after two failures, the third answer is the client’s',
    upstream: { ...STILL, retry: { attempts: 5, backoff: { initial: '2s', factor: 2 } } },
    services: () => ({ web: ({ n }) => ({ status: n < 3 ? 503 : 200, afterMs: 500 }) }),
    requests: [{ at: 0 }],
    untilMs: 10_000,
  },
  breaker: {
    title: 'breaker: { consecutiveFailures: 3 }: requests wait while it is open, until the upstream is back at 8 s',
    upstream: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, failureRate: false } },
    services: () => ({ web: ({ at }) => ({ status: at < 8_000 ? 503 : 200, afterMs: 200 }) }),
    requests: every(700, 20),
    untilMs: 15_000,
    shows: 'one client',
  },
  limits: {
    title: 'concurrency: { max: 2, queue: 2 }: five at once, two of them wait and one is refused',
    upstream: { ...ONCE, concurrency: { max: 2, queue: 2, queueTimeout: '5s' } },
    services: () => ({ web: () => ({ status: 200, afterMs: 3_000 }) }),
    requests: Array(5).fill({ at: 0 }),
    untilMs: 8_000,
  },
  rate: {
    title: 'rate: { requests: 3, per: 10s, burst: 2 }, after a quiet window: two go at once',
    upstream: { ...ONCE, rate: { requests: 3, per: '10s', burst: 2, queueTimeout: '20s' } },
    services: () => ({ web: () => ({ status: 200, afterMs: 500 }) }),
    requests: every(500, 5).map((one) => ({ ...one, at: one.at + 10_000 })),
    untilMs: 26_000,
  },
  hold: {
    title: 'hold: the job is done at 9 s; two clients ask once each, and share the polls',
    upstream: {
      ...ONCE,
      routes: [
        { match: 'GET /jobs/{id}', hold: { json: '/status', in: ['queued', 'processing'], upTo: '20s', every: '2s' } },
      ],
    },
    services: () => ({
      web: ({ at }) => ({ status: 200, afterMs: 200, json: { status: at < 9_000 ? 'processing' : 'completed' } }),
    }),
    requests: [
      { at: 0, path: '/jobs/1' },
      { at: 3_000, path: '/jobs/1' },
    ],
    untilMs: 13_000,
  },
  collapse: {
    title: 'collapse: true: three identical requests become one call',
    upstream: { ...ONCE, collapse: true },
    services: () => ({ web: () => ({ status: 200, afterMs: 3_000 }) }),
    requests: every(500, 3),
    untilMs: 5_000,
  },
  hedge: {
    title: 'hedge: { after: 2s }: a second attempt beside a slow one, the first answer wins',
    upstream: { ...ONCE, hedge: { after: '2s', max: 1 } },
    services: () => ({ web: ({ n }) => ({ status: 200, afterMs: n === 1 ? 9_000 : 1_000 }) }),
    requests: [{ at: 0 }],
    untilMs: 5_000,
  },
  endpoints: {
    title: 'urls: [http://a, http://b]: a is down, each retry goes to b at once, and a is left alone for a while',
    upstream: {
      retry: { attempts: 2 },
      breaker: { consecutiveFailures: 2, openFor: '10s', failureRate: false },
      balance: { slowStart: '0ms' },
    },
    services: () => ({
      a: ({ at }) => ({ status: at < 12_000 ? 503 : 200, afterMs: 300 }),
      b: () => ({ status: 200, afterMs: 700 }),
    }),
    requests: every(1_500, 13),
    untilMs: 20_000,
    shows: 'one client',
  },
  'failure-when': {
    title: 'failureWhen: jobs 1, 2 and 3 fail inside a 200; job 1 counts once, however often it is polled',
    upstream: {
      retry: { attempts: 1 },
      breaker: { consecutiveFailures: 3, openFor: '10s', failureRate: false },
      routes: [{ match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } }],
    },
    services: () => ({ web: () => ({ status: 200, afterMs: 400, json: { status: 'failed' } }) }),
    requests: ['1', '1', '1', '2', '1', '3', '4', '5'].map((id, i) => ({ at: i * 1_500, path: `/jobs/${id}` })),
    untilMs: 13_000,
    shows: 'one client',
  },
  adaptive: {
    title:
      'concurrency: { max: 64, adaptive: true }: 50 requests a second; from 10 s on the upstream does 20, then all again from 25 s',
    upstream: { ...ONCE, concurrency: { max: 64, adaptive: true } },
    services: () => ({ web: workers() }),
    requests: Array.from({ length: 2_000 }, (_, i) => ({ at: i * 20 - ((i * 20) % 50) })),
    untilMs: 40_000,
    shows: 'limit',
  },
}

/** 20 workers that take 200 ms for a call each; 4 of them between 10 and 25 s. */
function workers() {
  const freeAt = Array<number>(20).fill(0)
  return ({ at }: { readonly at: number }) => {
    const staff = at >= 10_000 && at < 25_000 ? 4 : 20
    const first = freeAt.slice(0, staff).reduce((best, free, i) => (free < (freeAt[best] ?? 0) ? i : best), 0)
    const startsAt = Math.max(at, freeAt[first] ?? 0)
    freeAt[first] = startsAt + 200
    return { status: 200, afterMs: startsAt + 200 - at }
  }
}

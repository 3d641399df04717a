import { expect, test } from 'vitest'
import { METRICS } from '../../../src/control/metrics/metric-table.ts'
import { ask } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { startProxy } from '../../support/proxy.ts'
import { countingUpstream } from '../../support/counting-upstream.ts'
import { metric } from '../../support/metric.ts'

const REQUESTS = 5_000
const AT_ONCE = 50
/** Every tenth request to the upstream gets one of these faults, in turn. */
const FAULTS = ['500', '503', 'reset', 'truncated', '429'] as const

test(`metrics: over ${REQUESTS} requests, 10 % faulty, counters agree with client and upstream`, {
  timeout: 60_000,
}, async (t) => {
  const upstream = await countingUpstream(t, (n) => (n % 10 === 0 ? FAULTS[(n / 10) % FAULTS.length] : undefined))
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    top: { log: { level: 'info', access: true } },
    defaults: {
      retry: { attempts: 1 },
      breaker: { consecutiveFailures: 1_000, failureRate: false },
      connections: { max: 64 },
    },
    upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0', routes: [{ match: 'GET /jobs/{id}' }] } },
  })
  const seen: Record<string, number> = {}
  let bytes = 0
  let asked = 0
  const client = async () => {
    while (asked < REQUESTS) {
      asked += 1
      const answer = await ask(`${proxy.own('web')}/jobs/${asked}`).catch(() => undefined)
      const what = answer === undefined ? 'cut' : String(answer.status)
      seen[what] = (seen[what] ?? 0) + 1
      bytes += answer?.status === 200 ? answer.body.length : 0
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))

  const series = await proxy.metrics()
  const labels = 'upstream="web",route="GET /jobs/{id}"'
  const sum = (name: string, label: RegExp) =>
    [...series]
      .filter(([key]) => key.startsWith(`${name}{${labels}`) && label.test(key))
      .reduce((all, [, n]) => all + n, 0)
  const counted = (what: string) => upstream.counts[what] ?? 0
  const told = (what: string) => seen[what] ?? 0
  // A reset of a reused connection counts as no attempt: the request is sent again on a new connection.
  const stale = series.get(metric('staleConnections', { upstream: 'web' })) ?? 0
  const all = Object.values(upstream.counts).reduce((total, one) => total + one, 0)
  expect(Object.values(seen).reduce((total, one) => total + one, 0)).toBe(REQUESTS)
  expect(all).toBe(REQUESTS + stale)
  expect(['200', '500', '503', '429'].map(told)).toEqual(['200', '500', '503', '429'].map(counted))
  expect([told('cut'), told('502') + stale]).toEqual([counted('truncated'), counted('reset')])
  expect(counted('truncated')).toBeGreaterThan(90)
  const requests = METRICS.requests.name
  expect([
    sum(requests, /class="2xx",reason="none"/),
    sum(requests, /class="2xx",reason="body_truncated"/),
    sum(requests, /class="4xx"/),
    sum(requests, /class="5xx",reason="none"/),
    sum(requests, /class="5xx",reason="reset"/),
    sum(requests, /./),
  ]).toEqual([told('200'), told('cut'), told('429'), told('500') + told('503'), told('502'), REQUESTS])
  const attempts = METRICS.attempts.name
  expect([sum(attempts, /outcome="2xx"/), sum(attempts, /outcome="5xx"/), sum(attempts, /./)]).toEqual([
    told('200') + told('cut'),
    told('500') + told('503'),
    REQUESTS,
  ])
  expect(sum(`${METRICS.requestSeconds.name}_count`, /./)).toBe(REQUESTS)
  expect(sum(METRICS.bodyFailures.name, /end="body_truncated"/)).toBe(told('cut'))
  expect(bytes).toBe(told('200') * upstream.bodyBytes)
  expect(proxy.log.filter(({ msg }) => msg === 'request')).toHaveLength(REQUESTS)
})

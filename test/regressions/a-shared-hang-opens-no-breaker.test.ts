/**
 * A shared call was ended at the deadline of its last client, and then counted as a client that had left: an upstream
 * that hangs never opened the breaker, and the log said that no attempt had been made.
 */

import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

const shared = {
  collapse: { collapse: true },
  hold: { hold: { json: '/status', in: ['running'], upTo: '30s', every: '2s' } },
}

test.for(['collapse', 'hold'] as const)('%s: calls that reach timeout.total open the breaker', async (policy, t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, ['hang'])
  const proxy = await startProxy(t, {
    clock,
    defaults: {
      retry: { attempts: 1 },
      timeout: { attempt: '700ms', total: '700ms' },
      breaker: { consecutiveFailures: 2, failureRate: false },
    },
    upstreams: { web: { url: upstream.origin, routes: [{ match: 'GET /r/{id}', ...shared[policy] }] } },
  })
  const types: unknown[] = []
  for (const id of ['a', 'b', 'c']) {
    const answer = ask(`${proxy.url}/web/r/${id}`)
    if (id !== 'c') {
      await upstream.begun(types.length + 1)
      await clock.elapse(700)
    }
    types.push(problemOf(await answer).type)
  }
  expect(types[2]).toBe('urn:breakwater:breaker_open')
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ status: 504, attempts: 1 })
})

test('collapse: a call that its only client leaves does not open the breaker', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, ['hang'])
  const proxy = await startProxy(t, {
    clock,
    defaults: { breaker: { consecutiveFailures: 1, failureRate: false } },
    upstreams: { web: { url: upstream.origin, routes: [{ match: 'GET /r', collapse: true }] } },
  })
  const leaving = new AbortController()
  const left = fetch(`${proxy.url}/web/r`, { signal: leaving.signal }).catch(() => 'left')
  await upstream.begun(1)
  leaving.abort()
  expect(await left).toBe('left')
  await upstream.gone(1)
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ status: 499, reason: 'client_gone', attempts: 1 })
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('breakerState', { upstream: 'web', route: '*' }))).toBe(0)
})

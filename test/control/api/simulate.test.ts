/** The way of `POST /v1/simulate` to its thread and back: one at a time, until its caller leaves or its time is over. */

import { expect, test } from 'vitest'
import { ask } from '../../support/client.ts'
import { withSidecar } from '../../support/sidecar.ts'

const SCENARIO = `lasts: 20s
traffic: [{ upstream: web, request: GET /x, rate: 5 }]
upstreams: { web: { latency: { p50: 20ms, p99: 50ms }, faults: [{ as: refused, from: 5s, lasts: 5s }] } }`
/** A thread takes its time to start and to end where the machine is busy. */
const PATIENT = { timeout: 15_000 }
/** More than any machine plays within the limit. */
const ENDLESS = SCENARIO.replace('lasts: 20s', 'lasts: 1d\nsidecars: 1000').replace('rate: 5', 'rate: 1000')

test('simulate: one at a time, in force and changed, until its caller leaves or 20 s are over', async (t) => {
  const { proxy, clock } = await withSidecar(t, [{ body: 'ok' }], { web: { retry: { attempts: 2 } } })
  const simulate = (order: object, signal?: AbortSignal) =>
    fetch(`${proxy.controlUrl}/v1/simulate`, {
      method: 'POST',
      body: JSON.stringify(order),
      headers: { accept: 'text/plain' },
      ...(signal && { signal }),
    })
  await ask(`${proxy.own('web')}/x`)
  const lines = proxy.log.map((line) => JSON.stringify(line)).join('\n')
  const replayed = await (await simulate({ log: lines, changes: 'upstreams: { web: { breaker: false } }' })).text()
  expect(replayed).toMatch(/^access log, seed 1\n\n- Can be believed/)
  expect(replayed).toMatch(/ recorded +in force +changed\n/)

  const left = new AbortController()
  const first = simulate({ scenario: ENDLESS }, left.signal).catch(() => 'left')
  const statusMeanwhile = async () => (await simulate({ scenario: SCENARIO })).status
  await expect.poll(statusMeanwhile, PATIENT).toBe(429)
  left.abort()
  expect(await first).toBe('left')
  await expect.poll(statusMeanwhile, PATIENT).toBe(200)

  const endless = simulate({ scenario: ENDLESS })
  await expect.poll(statusMeanwhile, PATIENT).toBe(429)
  await clock.advance(20_000)
  expect(JSON.parse(await (await endless).text()).detail).toMatch(/longer than 20 s/)
})

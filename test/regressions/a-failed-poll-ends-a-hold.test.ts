/**
 * The third of five polls of a held job failed (500, 404, 503 with Retry-After: 60). The client got that answer at once, although
 * the job was known to run and there was time left: a poller that allows no error gave the job up.
 */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const report = (status: string, headers: Readonly<Record<string, string>> = {}): Scene => ({
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify({ status }),
})
const RUNNING = report('processing')
const DONE = report('completed')
/** Ends the connection, so that a reset that follows hits a fresh one and is not taken for a stale connection. */
const LAST_ON_ITS_CONNECTION = report('processing', { connection: 'close' })

const withHold = (t: Scope, scenes: readonly Scene[]) =>
  withSidecar(t, scenes, {
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '12s', total: '25s' } },
    web: {
      routes: [{ match: 'GET /jobs/{id}', hold: { json: '/status', in: ['processing'], upTo: '9s', every: '2s' } }],
    },
    path: '/jobs/1',
  })

const statusOf = ({ body }: { body: Buffer }) => JSON.parse(body.toString()).status
const times = (upstream: { arrivals: readonly { at: number }[] }) => upstream.arrivals.map(({ at }) => at)

test.for<[what: string, scene: Scene]>([
  ['a 500', { status: 500 }],
  ['a 404', { status: 404 }],
  ['a 408', { status: 408 }],
  ['a 425', { status: 425 }],
  ['a 429', { status: 429 }],
  ['a reset', 'reset'],
  ['no JSON', { body: '<html>busy</html>', headers: { 'content-type': 'text/html' } }],
  ['a body that is not parsed', { body: '{"status"', headers: JSON_TYPE }],
  ['JSON without the member', { body: '{"error":"?"}', headers: JSON_TYPE }],
])('hold: %s in a later poll is followed by the next poll', async ([, scene], t) => {
  const { clock, upstream, url } = await withHold(t, [RUNNING, LAST_ON_ITS_CONNECTION, scene, RUNNING, DONE])
  const answer = ask(url)
  for (let poll = 2; poll <= 5; poll += 1) await clock.elapse(2_000)
  expect(statusOf(await answer)).toBe('completed')
  expect(times(upstream)).toEqual([0, 2_000, 4_000, 6_000, 8_000])
})

test('hold: a success that is too large for a report is the result, and ends the hold', async (t) => {
  const large = { body: `{"result":"${'x'.repeat(200_000)}"}`, headers: JSON_TYPE }
  const { clock, upstream, url } = await withHold(t, [RUNNING, large])
  const answer = ask(url)
  await clock.elapse(2_000)
  expect((await answer).body.length).toBe(large.body.length)
  expect(times(upstream)).toEqual([0, 2_000])
})

test('hold: the third success in a row without a readable status is relayed', async (t) => {
  const file = { body: 'the file', headers: { 'content-type': 'text/plain' } }
  const { clock, upstream, url } = await withHold(t, [RUNNING, file])
  const answer = ask(url)
  for (let poll = 2; poll <= 4; poll += 1) await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe('the file')
  expect(times(upstream)).toEqual([0, 2_000, 4_000, 6_000])
})

test('hold: when every later poll fails, the pending answer is relayed at the end', async (t) => {
  const { clock, url } = await withHold(t, [report('processing', { 'x-n': '1' }), { status: 500 }])
  const answer = ask(url)
  for (let poll = 2; poll <= 5; poll += 1) await clock.elapse(2_000)
  await clock.armed(2_000)
  await clock.elapse(1_000)
  const { status, headers } = await answer
  expect([status, headers['x-n']]).toEqual([200, '1'])
})

test('hold: the third 404 in a row is relayed; another outcome begins a new count', async (t) => {
  const gone: Scene = { status: 404, body: 'gone' }
  const { clock, upstream, url } = await withHold(t, [RUNNING, gone, gone, RUNNING, gone, RUNNING, gone, gone, gone])
  const first = ask(url)
  for (let poll = 2; poll <= 5; poll += 1) await clock.elapse(2_000)
  await clock.armed(2_000)
  await clock.elapse(1_000)
  expect(statusOf(await first)).toBe('processing')
  const second = ask(url)
  for (let poll = 2; poll <= 4; poll += 1) await clock.elapse(2_000)
  const { status, body } = await second
  expect([status, body.toString(), upstream.arrivals.length]).toEqual([404, 'gone', 9])
})

test.for([303, 401, 403, 410])(
  'hold: a %d ends the hold at once, since polling does not mend it',
  async (status, t) => {
    const { clock, url } = await withHold(t, [RUNNING, { status, body: 'over' }])
    const answer = ask(url)
    await clock.elapse(2_000)
    const { status: relayed, body } = await answer
    expect([relayed, body.toString()]).toEqual([status, 'over'])
  },
)

test('hold: Retry-After of a pending answer lengthens every', async (t) => {
  const { clock, upstream, url } = await withHold(t, [
    report('processing', { 'retry-after': '6' }),
    report('processing', { 'retry-after': '1' }),
    DONE,
  ])
  const answer = ask(url)
  await clock.elapse(6_000)
  await clock.elapse(2_000)
  expect(statusOf(await answer)).toBe('completed')
  expect(times(upstream)).toEqual([0, 6_000, 8_000])
})

test('hold: a 503 with Retry-After: 60 ends neither the hold nor the polls of a later client', async (t) => {
  const { clock, upstream, proxy, url } = await withHold(t, [
    RUNNING,
    { status: 503, headers: { 'retry-after': '60' } },
    DONE,
  ])
  const first = ask(url)
  await clock.elapse(2_000)
  await clock.armed(7_001)
  await clock.advance(5_000)
  const second = ask(url)
  await proxy.logged(({ msg }) => msg === 'shared')
  await clock.advance(2_000)
  expect(statusOf(await first)).toBe('processing')
  expect(times(upstream)).toEqual([0, 2_000])
  await clock.advance(1)
  expect(statusOf(await second)).toBe('completed')
  expect(times(upstream)).toEqual([0, 2_000, 9_001])
})

test('hold: nothing is polled after the last waiter, whatever Retry-After says', async (t) => {
  const { clock, upstream, url } = await withHold(t, [report('processing', { 'retry-after': '3600' })])
  const answer = ask(url)
  await clock.elapse(9_001)
  expect(statusOf(await answer)).toBe('processing')
  await clock.advance(7_200_000)
  expect(upstream.arrivals).toHaveLength(1)
})

test('hold: a first poll that takes longer than upTo is answered when it comes', async (t) => {
  const { clock, upstream, url } = await withHold(t, [
    (_, response) => void clock.after(11_000, () => response.writeHead(200, JSON_TYPE).end('{"status":"processing"}')),
    DONE,
  ])
  const answer = ask(url)
  await upstream.begun(1)
  await clock.elapse(11_000)
  expect(statusOf(await answer)).toBe('processing')
  expect(upstream.arrivals).toHaveLength(1)
})

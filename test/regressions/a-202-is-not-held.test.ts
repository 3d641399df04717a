/**
 * FHIR bulk data, Stability and make-video's export answer 202 with an empty body until the 200. A hold only knew a text in JSON,
 * so that it relayed the first 202 at once, and the client polled as often as without it.
 */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('hold: a 202 with an empty body is held until the 200', async (t) => {
  const hold = { while: { status: [202] }, upTo: '20s', every: '2s' }
  const pending = { status: 202, headers: { location: '/export/1', 'retry-after': '4' } }
  const { clock, upstream, url } = await withSidecar(t, [pending, pending, { body: 'the export' }], {
    web: { routes: [{ match: 'GET /export/{id}', hold }] },
    path: '/export/1',
  })
  const answer = ask(url)
  await clock.elapse(4_000)
  await clock.elapse(4_000)
  expect((await answer).body.toString()).toBe('the export')
  expect(upstream.arrivals.map(({ at }) => at)).toEqual([0, 4_000, 8_000])
})

/**
 * A hold listed the states of a running job. When the service came with a state of its own (`warming`, `IN_PROGRESS` for
 * `in_progress`), each poll was relayed at once, and the client used up its polls.
 */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test.for([
  ['a state that the file does not list', { json: '/status', notIn: ['succeeded', 'failed'] }, 'warming'],
  ['a state in another case', { json: '/status', in: ['in_progress'] }, 'IN_PROGRESS'],
] as const)('hold: %s does not end it', async ([, running, state], t) => {
  const report = (status: string) => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status }),
  })
  const { clock, upstream, url } = await withSidecar(t, [report(state), report('succeeded')], {
    web: { routes: [{ match: 'GET /jobs/{id}', hold: { while: running, upTo: '20s', every: '2s' } }] },
    path: '/jobs/1',
  })
  const answer = ask(url)
  await clock.elapse(2_000)
  expect(JSON.parse((await answer).body.toString()).status).toBe('succeeded')
  expect(upstream.arrivals).toHaveLength(2)
})

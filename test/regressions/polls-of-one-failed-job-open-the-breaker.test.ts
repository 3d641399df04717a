/**
 * `GET /query-job?job_id=7` has the job's id in the query, which `oncePer` could not name, and `check` did not warn: five polls
 * of one failed job opened the breaker of a service that was well.
 */

import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { warningsOf } from '../../src/config/warnings.ts'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('failureWhen: five polls of one failed job count once by an id in the query', async (t) => {
  const report = { headers: { 'content-type': 'application/json' }, body: '{"status":"failed"}' }
  const { upstream, url } = await withSidecar(t, [report], {
    defaults: { breaker: { ...LONG_OPEN, consecutiveFailures: 3, failureRate: false } },
    web: {
      routes: [
        {
          match: 'GET /query-job',
          failureWhen: { json: '/status', in: ['failed'], oncePer: { query: 'job_id' } },
        },
      ],
    },
    path: '/query-job?job_id=7',
  })
  for (let poll = 1; poll <= 5; poll += 1) expect((await ask(url)).status).toBe(200)
  expect(upstream.arrivals).toHaveLength(5)
})

test('check: warns of failed jobs without an id on a route without a {name}', () => {
  const file = `upstreams:
  web: { url: http://web, routes: [{ match: GET /query-job, failureWhen: { json: /status, in: [failed] } }] }
`
  const loaded = loadConfig(file, 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  expect(warningsOf(loaded.config, loaded.origins).map(({ rule, fix }) => [rule, fix])).toContainEqual([
    'failed-job-counted-again',
    "oncePer, with the place of the job's id: { query: id }, { header: x-job-id } or { json: /id }",
  ])
})

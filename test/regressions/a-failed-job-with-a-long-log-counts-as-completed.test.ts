/**
 * Replicate puts the job's `logs` into the report. A failed job whose report was larger than 64 KiB counted as completed, which
 * ended the row of failed jobs, so that the breaker never opened.
 */

import { expect, test } from 'vitest'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask } from '../support/client.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const withJobs = (t: Scope, inspect: string) => {
  let polls = 0
  return withSidecar(
    t,
    [
      (_, response) => {
        polls += 1
        const logs = polls === 2 ? 'x'.repeat(100_000) : ''
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ id: polls, status: 'failed', logs }))
      },
    ],
    {
      defaults: { breaker: { ...LONG_OPEN, consecutiveFailures: 2, failureRate: false } },
      web: {
        routes: [
          {
            match: 'GET /predictions/{id}',
            failureWhen: { json: '/status', in: ['failed'], oncePer: { json: '/id' } },
            inspect,
          },
        ],
      },
      path: '/predictions/1',
    },
  )
}

test('failureWhen: a report over inspect does not end the row of failed jobs', async (t) => {
  const { proxy, url } = await withJobs(t, '64KiB')
  for (let poll = 1; poll <= 3; poll += 1) expect((await ask(url)).status).toBe(200)
  await proxy.logged(({ msg }) => msg === 'breaker open')
})

test('failureWhen: a report within inspect is read, whatever its size', async (t) => {
  const { proxy, url } = await withJobs(t, '1MiB')
  for (let poll = 1; poll <= 2; poll += 1) expect((await ask(url)).status).toBe(200)
  await proxy.logged(({ msg }) => msg === 'breaker open')
})

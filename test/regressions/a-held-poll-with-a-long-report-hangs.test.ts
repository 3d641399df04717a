/** A held poll whose report was larger than 64 KiB, and within `inspect`, was read no further and ended by `timeout.idle`. */

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('hold: a report within inspect is read whole, whatever its size', async (t) => {
  const report = JSON.stringify({ status: 'done', logs: 'x'.repeat(300_000) })
  const hold = { json: '/status', in: ['running'], upTo: '20s', every: '2s' }
  const { url } = await withSidecar(t, [{ headers: { 'content-type': 'application/json' }, body: report }], {
    web: { routes: [{ match: 'GET /runs/{id}', inspect: '1MiB', hold }] },
  })
  expect((await ask(`${url}/runs/1`)).body.toString()).toBe(report)
})

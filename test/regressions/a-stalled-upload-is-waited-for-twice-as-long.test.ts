/**
 * A stalled upload on a route with `collapse` ended as late as two times timeout.idle after its last byte: progress was
 * dated when it was checked, not when it was made.
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'
import { until } from '../support/until.ts'

test('collapse: a stalled upload ends timeout.idle after its last byte', async (t) => {
  const { clock, proxy, port } = await withSidecar(t, [{ body: 'taken' }], {
    defaults: { timeout: { idle: '11s', total: '90s' } },
    web: { routes: [{ match: 'PUT /film', collapse: true }] },
  })
  const kept = async () => await proxy.sample('bodiesKept', { place: 'memory' })
  const client = openRaw(port)
  client.send('PUT /film HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n')
  await clock.armed(11_000)
  await clock.advance(3_000)
  client.send('abc')
  await until(async () => (await kept()) === 3)
  await clock.advance(11_000)
  client.socket.end()
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ reason: 'client_stalled', total_ms: 14_000 })
})

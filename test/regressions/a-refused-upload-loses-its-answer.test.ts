/** A client that was refused while it still sent its body lost the answer: its connection was closed too early. */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('refusal: the rest of an upload is read, and its connection serves the next request', async (t) => {
  const { clock, port } = await withSidecar(t, [{ status: 503 }, { body: 'well' }], {
    defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 1, openFor: '5s', patience: '0ms' } },
  })
  const client = openRaw(port)
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/503 /)
  client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n${'u'.repeat(100_000)}`)
  expect(await client.until(/breaker_open[\s\S]*\}$/)).not.toMatch(/connection: close/i)
  client.send('u'.repeat(2_900_000))
  await clock.advance(5_250)
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/well/)
  client.socket.destroy()
})

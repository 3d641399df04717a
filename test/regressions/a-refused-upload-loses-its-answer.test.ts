/** A client that was refused while it was still sending its body lost the answer: its connection was closed under it. */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

test('refusal: the rest of an upload is read, and its connection serves the next request', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503 }, { body: 'well' }])
  const proxy = await startProxy(t, {
    clock,
    defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 1, openFor: '5s' } },
    upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } },
  })
  const client = openRaw(Number(new URL(proxy.own('web')).port))
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/503 /)
  client.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n${'u'.repeat(100_000)}`)
  expect(await client.until(/breaker_open[\s\S]*\}$/)).not.toMatch(/connection: close/i)
  client.send('u'.repeat(2_900_000))
  await clock.advance(5_000)
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/well/)
  client.socket.destroy()
})

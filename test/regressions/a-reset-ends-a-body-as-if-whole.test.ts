/**
 * A response that ends with its connection, and whose connection is reset, reached the client as if it were whole: undici takes
 * that reset for the end. (Found by the fuzz, seed 11.)
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n'

/** Sends a body without a length and ends its connection in one way or the other. */
const ending =
  (how: 'end' | 'reset'): Scene =>
  ({ socket }) => {
    socket.write(`${head}the first half`, () =>
      setImmediate(() => (how === 'end' ? socket.end() : socket.resetAndDestroy())),
    )
  }

test('response: a body without a length that is reset is cut, and counted against the upstream', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [ending('end'), ending('reset')])
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } } })
  const port = Number(new URL(proxy.own('web')).port)
  const whole = openRaw(port)
  whole.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect(await whole.ended).toBe('end')
  expect(whole.received).toContain('the first half')
  const cut = openRaw(port)
  cut.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect(await cut.ended).toBe('reset')
  const lines = () => proxy.log.filter(({ msg }) => msg === 'request')
  await proxy.logged(({ reason }) => reason === 'body_truncated')
  expect(lines()[0]?.reason).toBeUndefined()
})

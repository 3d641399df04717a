/**
 * When the connection of a response without a length was reset, the client got the response as if it were whole: undici
 * takes that reset for the end. (Found by the fuzz, seed 11.)
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n'

/** Sends a body without a length and ends its connection in one way or the other. */
const ending =
  (how: 'end' | 'reset'): Scene =>
  ({ socket }) => {
    socket.write(`${head}the first half`, () =>
      setImmediate(() => (how === 'end' ? socket.end() : socket.resetAndDestroy())),
    )
  }

test('response: a body without a length that is reset is cut, and logged as body_truncated', async (t) => {
  const { proxy, port } = await withSidecar(t, [ending('end'), ending('reset')])
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

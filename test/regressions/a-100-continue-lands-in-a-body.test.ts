/**
 * A client that sent a request with Expect: 100-continue behind another one got the 100 in the middle of the answer: node
 * writes the head of a response that waits for its turn before what was written for it. (Found by the fuzz, seed 11.)
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

test('expect: the 100 of a request that waits for its turn comes before its answer', async (t) => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const answers: Scene = (request, response) => {
    if (request.url === '/slow') return void released.then(() => response.end('first'))
    request.resume().on('end', () => response.end('second'.padEnd(6_000, '.')))
  }
  const { upstream, port } = await withSidecar(t, [answers])
  const client = openRaw(port)
  client.send(
    'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n' +
      'POST /fast HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody',
  )
  await upstream.arrival(2)
  release()
  const received = await client.until(/second/)
  const order = [...received.matchAll(/HTTP\/1\.1 (\d+)|first|second/g)].map(([word, status]) => status ?? word)
  expect([
    ['200', 'first', '200', 'second'],
    ['200', 'first', '100', '200', 'second'],
  ]).toContainEqual(order)
  client.socket.destroy()
})

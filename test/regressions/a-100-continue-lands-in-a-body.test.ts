/**
 * A client that pipelined a request with Expect: 100-continue got the 100 inside the body of its answer: while a
 * response waits for an earlier one, node puts its head before the bytes already written, such as the 100. (Found by
 * the fuzz, seed 11.)
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

test('expect: the 100 of a pipelined request comes before its answer or not at all', async (t) => {
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
  await upstream.arrival(1)
  release()
  const received = await client.until(/second/)
  const order = [...received.matchAll(/HTTP\/1\.1 (\d+)|first|second/g)].map(([word, status]) => status ?? word)
  expect([
    ['200', 'first', '200', 'second'],
    ['200', 'first', '100', '200', 'second'],
  ]).toContainEqual(order)
  client.socket.destroy()
})

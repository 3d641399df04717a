/**
 * A response that announces trailers became a 500 when its body has a length or its client speaks HTTP/1.0: node
 * refuses to write such a head. (Found by the fuzz, seed 11.)
 */

import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

const RAW = (fields: string, body: string) => `HTTP/1.1 200 OK\r\nTrailer: x-sum\r\n${fields}\r\n\r\n${body}`

test('response: a Trailer field is relayed only with a chunked body', async (t) => {
  const chunked = RAW('Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n')
  const { url, port } = await withSidecar(t, [
    ({ socket }) => void socket.write(RAW('Content-Length: 5', 'hello')),
    ({ socket }) => void socket.write(RAW('Content-Length: 5', '')),
    ({ socket }) => void socket.write(chunked),
    ({ socket }) => void socket.write(chunked),
  ])
  const counted = await ask(url)
  expect([counted.status, counted.body.toString(), counted.headers.trailer]).toEqual([200, 'hello', undefined])
  const head = await ask(url, { method: 'HEAD' })
  expect([head.status, head.headers.trailer]).toEqual([200, undefined])
  const old = openRaw(port)
  old.send('GET / HTTP/1.0\r\nhost: x\r\n\r\n')
  expect(await old.ended).toBe('end')
  expect(old.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhello$/)
  const modern = await ask(url)
  expect([modern.body.toString(), modern.headers.trailer, modern.trailers['x-sum']]).toEqual(['hello', 'x-sum', '7'])
})

/**
 * A continuation that brought more bytes than its range reached the client after the announced length: the client took
 * them for the answer to its next request on that connection. A shorter one let the client wait, and one of another
 * coding or type was joined to the first part.
 */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const FILE = Buffer.from('All of the forty-two bytes of this content')
const FIELDS = { etag: '"one"', 'accept-ranges': 'bytes', 'content-type': 'text/plain' }

/** Sends its head and so many bytes, and resets the connection. */
const breaksAfter =
  (bytes: number): Scene =>
  (_, response) => {
    response.writeHead(200, { ...FIELDS, 'content-length': FILE.length })
    response.write(FILE.subarray(0, bytes), () => setImmediate(() => response.socket?.resetAndDestroy()))
  }

/** A 206 with a part of the file; `more` overrides its fields. Without a Content-Length it is chunked. */
const part = (from: number, body: Buffer | string, more: Record<string, string> = {}): Scene => ({
  status: 206,
  headers: { ...FIELDS, 'content-range': `bytes ${from}-${FILE.length - 1}/${FILE.length}`, ...more },
  body,
})

async function download(t: Scope, scenes: readonly Scene[], waits: number) {
  const { clock, proxy, port } = await withSidecar(t, scenes, {
    web: { routes: [{ match: 'GET /file', resume: true }] },
  })
  const client = openRaw(port)
  client.send('GET /file HTTP/1.1\r\nhost: x\r\n\r\n')
  for (let i = 0; i < waits; i += 1) await clock.elapse(2_000)
  return { client, proxy, body: () => client.received.slice(client.received.indexOf('\r\n\r\n') + 4) }
}

const rest = FILE.subarray(17)

test.for([
  ['more bytes than its range', part(17, Buffer.concat([rest, Buffer.from('HTTP/1.1 200 OK')]))],
  ['a Content-Length that is not that of its range', part(17, rest.subarray(3), { 'content-length': '22' })],
  ['another Content-Encoding', part(17, rest, { 'content-encoding': 'gzip' })],
  ['another Content-Type', part(17, rest, { 'content-type': 'text/html' })],
  ['a range that begins elsewhere', part(16, FILE.subarray(16))],
  ['a range of another total', part(17, rest, { 'content-range': 'bytes 17-41/43' })],
  ['another validator', part(17, rest, { etag: '"two"' })],
] as const)('resume: a continuation with %s cuts the client off before any wrong byte', async ([, scene], t) => {
  const { client, body, proxy } = await download(t, [breaksAfter(17), scene], 1)
  expect(await client.ended).toBe('reset')
  expect(FILE.subarray(0, body().length).toString()).toBe(body())
  expect(body().length).toBeLessThan(FILE.length)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: expect.any(String) })
})

test('resume: a continuation that ends early is continued once more', async (t) => {
  const scenes = [breaksAfter(17), part(17, FILE.subarray(17, 30)), part(30, FILE.subarray(30))]
  const { client, body } = await download(t, scenes, 2)
  await client.until(/content$/)
  expect(body()).toBe(FILE.toString())
  client.socket.destroy()
})

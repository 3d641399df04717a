import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** As nginx does with `gzip on` and its default `gzip_proxied off`: nothing is compressed for a request with Via. */
const NGINX: Scene = ({ headers }, response) => {
  const page = Buffer.from('hello '.repeat(2_000))
  const isCompressed = headers.via === undefined && /\bgzip\b/.test(headers['accept-encoding'] ?? '')
  if (isCompressed) response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(page))
  else response.writeHead(200, { via: '1.1 cache' }).end(page)
}

test('via: false keeps the compression of an nginx that stops it for proxies', async (t) => {
  const gzip = { headers: { 'accept-encoding': 'gzip' } }
  const { url, proxy, upstream } = await withSidecar(t, [NGINX])
  expect((await ask(url, gzip)).body).toHaveLength(12_000)
  const web = { url: upstream.origin, listen: '127.0.0.1:0', via: false }
  expect((await proxy.reload({ upstreams: { web } })).status).toBe(200)
  const answer = await ask(proxy.own('web'), gzip)
  expect([answer.headers['content-encoding'], answer.headers.via]).toEqual(['gzip', undefined])
  expect(answer.body.length).toBeLessThan(1_000)
  // What others have put into Via stays.
  expect((await ask(proxy.own('web'), { headers: { via: '1.0 outer' } })).headers.via).toBe('1.1 cache')
})

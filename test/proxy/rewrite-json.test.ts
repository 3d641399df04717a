import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const REWRITE = { rewrite: { json: ['/url'] } }
/** Rewritten on the shared listener only. */
const BODY = '{"url": "/jobs/7"}'
const REWRITTEN = '{"url": "/web/jobs/7"}'

test.for<[what: string, scene: Scene, method?: string]>([
  ['compressed', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(BODY) }],
  ['of another type', { headers: { 'content-type': 'text/plain', 'content-length': '18' }, body: BODY }],
  ['no JSON', { headers: { ...JSON_TYPE, 'content-length': '5' }, body: '{"url' }],
  ['a range', { status: 206, headers: { ...JSON_TYPE, 'content-range': 'bytes 0-17/99' }, body: BODY }],
  ['without such a URL', { headers: { ...JSON_TYPE, etag: '"v"' }, body: '{"url": "https://www.example/"}' }],
  ['asked for by HEAD', { headers: { ...JSON_TYPE, 'content-length': '18', etag: '"v"' } }, 'HEAD'],
])('rewrite.json: a body that is %s passes unchanged', async ([, scene, method = 'GET'], t) => {
  const { proxy, url } = await withSidecar(t, [scene], { web: REWRITE })
  const [plain, shared] = [await ask(url, { method }), await ask(`${proxy.url}/web`, { method })]
  expect(shared.body.equals(plain.body)).toBe(true)
  for (const name of ['content-length', 'etag', 'content-encoding', 'content-range'])
    expect(shared.headers[name]).toBe(plain.headers[name])
  if (scene !== 'hang' && typeof scene === 'object') expect(shared.body.toString()).toBe(String(scene.body ?? ''))
})

test('rewrite.json: a body in parts is rewritten, with its length and without the fields of the old bytes', async (t) => {
  const headers = { ...JSON_TYPE, etag: '"v"', 'accept-ranges': 'bytes', 'content-md5': 'x', trailer: 'x-sum' }
  const parts = { headers, body: ['{"url": ', '"/jobs/7"}'], trailers: { 'x-sum': '1' } }
  const { proxy } = await withSidecar(t, [parts], { web: REWRITE })
  const answer = await ask(`${proxy.url}/web/x`)
  expect(answer.body.toString()).toBe(REWRITTEN)
  expect(answer.headers).toMatchObject({ etag: 'W/"v"', 'content-length': String(REWRITTEN.length) })
  for (const name of ['accept-ranges', 'content-md5', 'trailer', 'transfer-encoding'])
    expect(answer.headers).not.toHaveProperty(name)
})

test('rewrite.json: a body over inspect passes unchanged, with its length announced or not', async (t) => {
  const body = `{"url": "/jobs/7", "rest": "${'x'.repeat(200_000)}"}`
  const announced = { headers: { ...JSON_TYPE, etag: '"v"', 'content-length': String(body.length) }, body }
  const parts = {
    headers: { ...JSON_TYPE, etag: '"v"' },
    body: [body.slice(0, 9), body.slice(9, 70_000), body.slice(70_000)],
  }
  const { proxy } = await withSidecar(t, [announced, parts, parts], { web: { ...REWRITE, inspect: '100KiB' } })
  for (let i = 0; i < 3; i += 1) {
    const answer = await ask(`${proxy.url}/web`)
    expect([answer.body.toString() === body, answer.headers.etag]).toEqual([true, '"v"'])
  }
})

test.for<[string, Scene, RegExp]>([
  [
    'a body that is announced as larger than inspect',
    (_request, response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': '100000' }).write(Buffer.alloc(0))
    },
    /\r\n\r\n/,
  ],
  [
    'a body that turns out larger than inspect',
    (_request, response) => void response.writeHead(200, JSON_TYPE).write('x'.repeat(70_000)),
    /\r\n\r\n[\s\S]{70000}/,
  ],
])('rewrite.json: %s is not waited for', async ([, scene, received], t) => {
  const { port } = await withSidecar(t, [scene], { web: REWRITE })
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await raw.until(received)).toMatch(/^HTTP\/1.1 200 /)
  raw.socket.destroy()
})

test('rewrite.json: a body within a larger inspect is rewritten', async (t) => {
  const rest = 'x'.repeat(300_000)
  const scene = { headers: JSON_TYPE, body: ['{"url": "/jobs/7", "rest": "', rest, '"}'] }
  const { proxy } = await withSidecar(t, [scene], { web: { ...REWRITE, inspect: '1MiB' } })
  const answer = await ask(`${proxy.url}/web`)
  expect(answer.body.toString()).toBe(`{"url": "/web/jobs/7", "rest": "${rest}"}`)
})

test('rewrite.json: a body that breaks off before the head is sent is a 502', async (t) => {
  const broken: Scene = (_request, response) => {
    response.writeHead(200, { ...JSON_TYPE, 'content-length': '18' }).write('{"url"', () => response.socket?.end())
  }
  const { proxy } = await withSidecar(t, [broken, { headers: JSON_TYPE, body: BODY }], {
    web: { ...REWRITE, retry: { attempts: 1 } },
  })
  expect(problemOf(await ask(`${proxy.url}/web`))).toMatchObject({ status: 502, type: 'urn:breakwater:body_truncated' })
  expect((await ask(`${proxy.url}/web`)).body.toString()).toBe(REWRITTEN)
})

test('rewrite.json: a body that stops is waited for no longer than timeout.idle', async (t) => {
  const stops: Scene = (_request, response) => void response.writeHead(200, JSON_TYPE).write('{"url"')
  const { clock, proxy, upstream } = await withSidecar(t, [stops], {
    web: { ...REWRITE, retry: { attempts: 1 }, timeout: { idle: '3s' } },
  })
  const answer = ask(`${proxy.url}/web`)
  await proxy.logged(({ msg }) => msg === 'attempt')
  await clock.elapse(3_000)
  expect(problemOf(await answer)).toMatchObject({ status: 504, type: 'urn:breakwater:idle_timeout' })
  await upstream.gone(1)
  await expect.poll(() => proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
})

test('rewrite.json: a client that leaves meanwhile frees the connection to the upstream', async (t) => {
  const stops: Scene = (_request, response) => void response.writeHead(200, JSON_TYPE).write('{"url"')
  const { proxy, upstream } = await withSidecar(t, [stops], { web: REWRITE })
  const raw = openRaw(Number(new URL(proxy.url).port))
  raw.send('GET /web HTTP/1.1\r\nHost: x\r\n\r\n')
  await proxy.logged(({ msg }) => msg === 'attempt')
  raw.socket.destroy()
  await upstream.gone(1)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status: 499, reason: 'client_gone' })
})

test('rewrite: false leaves fields, cookies and bodies as they are', async (t) => {
  const headers = { ...JSON_TYPE, location: '/jobs/7', 'set-cookie': ['a=b; Path=/'] }
  const { proxy } = await withSidecar(t, [{ status: 202, headers, body: BODY }], { web: { rewrite: false } })
  const answer = await ask(`${proxy.url}/web`)
  expect(answer.headers).toMatchObject({ location: '/jobs/7', 'set-cookie': ['a=b; Path=/'] })
  expect(answer.body.toString()).toBe(BODY)
})

test('rewrite: further fields, and the URLs of an upstream that goes by the Host it is told', async (t) => {
  const headers = { 'x-status-url': 'http://api.example.com/jobs/7', link: '<https://api.example.com/>; rel=up' }
  const { proxy } = await withSidecar(t, [{ headers }], {
    web: { host: 'api.example.com', rewrite: { headers: ['X-Status-Url'] } },
  })
  const answer = await ask(`${proxy.url}/web`)
  expect(answer.headers['x-status-url']).toBe(`${proxy.url}/web/jobs/7`)
  expect(answer.headers.link).toBe(`<${proxy.url}/web/>; rel=up`)
})

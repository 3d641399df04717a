/**
 * What was no fault of the upstream opened its breaker or was repeated: uploads that were refused in the middle, heads over the
 * sidecar's own limit, an unasked 100 Continue. And what was one of its faults was taken for a race of the connection.
 */

import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const ONCE = { retry: { attempts: 1 }, breaker: { consecutiveFailures: 2, patience: '0ms' } }

/** An upstream that writes the bytes for each request that it reads. */
async function withBytes(t: Scope, bytes: readonly string[]) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => {
      for (const one of bytes) socket.write(one)
    })
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', ...ONCE } },
  })
  return proxy.own('web')
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

test.for([
  ['before the response', [CONTINUE, OK]],
  ['in the same bytes', [`${CONTINUE}${CONTINUE}${OK}`]],
  ['cut in two', ['HTTP/1.1 10', '0 Continue\r\nx: y\r\n', `\r\n${OK}`]],
  ['beside a 103', [`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${CONTINUE}`, OK]],
])('an unasked 100 Continue %s is dropped', async ([, bytes], t) => {
  const url = await withBytes(t, bytes as readonly string[])
  for (let i = 0; i < 3; i += 1) expect((await ask(url)).body.toString()).toBe('ok')
})

test('a response head of 60 KiB is relayed; a larger one is 502 and opens no breaker', async (t) => {
  const head = (bytes: number) => `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(bytes)}\r\nContent-Length: 2\r\n\r\nok`
  // Node's own client takes no head of that size.
  const client = openRaw(Number(new URL(await withBytes(t, [head(60_000)])).port))
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(await client.until(/\r\n\r\nok$/)).toMatch(/^HTTP\/1.1 200 /)
  client.socket.destroy()
  const url = await withBytes(t, [head(80_000)])
  for (let i = 0; i < 4; i += 1) {
    const answer = await ask(url)
    expect([answer.status, answer.headers['proxy-status'], problemOf(answer).type]).toEqual([
      502,
      'breakwater; error=http_response_header_section_size',
      'urn:breakwater:response_head_too_large',
    ])
  }
})

test('uploads that the upstream refuses by a reset open no breaker', async (t) => {
  const refuse: Scene = (request) => void request.socket.resetAndDestroy()
  const { proxy, port, url } = await withSidecar(t, [refuse, refuse, refuse, { body: 'ok' }], { web: ONCE })
  for (let i = 0; i < 3; i += 1) {
    const client = openRaw(port)
    client.send('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf')
    await client.until(/urn:breakwater:upload_refused/)
    client.socket.destroy()
  }
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(0)
  expect((await ask(url)).body.toString()).toBe('ok')
})

test('a reset of a kept connection after a second of work is an attempt', async (t) => {
  const held: { reset?: () => void } = {}
  const work: Scene = (request) => {
    held.reset = () => void request.socket.resetAndDestroy()
  }
  const { clock, upstream, proxy, url } = await withSidecar(t, [{ body: 'ok' }, work], { web: ONCE })
  await ask(url)
  const answer = ask(url)
  await upstream.begun(2)
  await clock.advance(1_000)
  held.reset?.()
  expect(problemOf(await answer)).toMatchObject({ type: 'urn:breakwater:reset', attempts: 1 })
  expect(upstream.arrivals).toHaveLength(2)
  expect(proxy.log.filter(({ msg }) => msg === 'stale connection')).toEqual([])
})

test('a probe succeeds with its response head, however long its body is', async (t) => {
  const bodies: (() => void)[] = []
  const long: Scene = (_, response) => {
    response.writeHead(200).write('begin')
    bodies.push(() => response.end('end'))
  }
  const fail: Scene = { status: 500 }
  const { clock, proxy, url } = await withSidecar(t, [fail, fail, long, { body: 'ok' }], { web: ONCE })
  await ask(url)
  await ask(url)
  await clock.advance(1_050)
  const download = ask(url)
  await proxy.logged(({ msg }) => msg === 'breaker closed')
  expect((await ask(url)).body.toString()).toBe('ok')
  bodies[0]?.()
  expect((await download).body.toString()).toBe('beginend')
})

test('each attempt is told what is left of the time that the client gave', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, [{ status: 503 }], {
    web: { retry: { attempts: 3, backoff: { initial: '1s', jitter: 0 } }, breaker: { consecutiveFailures: 100 } },
  })
  const answer = ask(url, { headers: { 'x-request-timeout': '5' } })
  await clock.elapse(1_000)
  await upstream.arrival(2)
  await clock.elapse(2_000)
  await answer
  expect(upstream.arrivals.map(({ headers }) => headers['x-request-timeout'])).toEqual(['5', '4', '2'])
})

test('no back-off begins while the sidecar drains', async (t) => {
  const gate: { open?: () => void } = {}
  const held: Scene = (_, response) => {
    gate.open = () => void response.writeHead(503).end('busy')
  }
  const { clock, upstream, proxy, url } = await withSidecar(t, [held])
  const answer = ask(url)
  await upstream.arrival(1)
  const drained = proxy.app.drain()
  gate.open?.()
  expect((await answer).status).toBe(503)
  await clock.advance(1_000)
  await drained
  expect(upstream.arrivals).toHaveLength(1)
})

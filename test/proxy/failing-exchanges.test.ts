/** What the log tells of an exchange that fails, at the level debug: enough to see why, and no secret. */

import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { freePort, listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { fixture, tlsUpstream } from '../support/tls-upstream.ts'

/** Answers each request with those bytes, then ends the connection as it is told to. */
async function answering(t: Scope, bytes: string, end: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      if (bytes === '') end(socket)
      else socket.write(bytes, () => end(socket))
    })
  })
  t.onTestFinished(() => void server.close())
  return `http://127.0.0.1:${await listening(server)}`
}

const close = (socket: Socket) => void socket.end()
const reset = (socket: Socket) => void socket.resetAndDestroy()

async function lines(t: Scope, url: string, settings: object = {}) {
  const set = { authorization: 'Bearer secret' }
  const web = { url, listen: '127.0.0.1:0', retry: { attempts: 1 }, headers: { request: { set } }, ...settings }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web } })
  const answer = await ask(`${proxy.own('web')}/a?token=secret`, { headers: { cookie: 'secret' } }).catch(
    () => undefined,
  )
  const request = await proxy.logged(({ msg }) => msg === 'request')
  const of = (wanted: string) => proxy.log.find(({ msg }) => msg === wanted)
  expect(JSON.stringify(proxy.log)).not.toContain('secret')
  return { answer, request, attempt: of('attempt'), notHttp: of('not HTTP') }
}

test.for<[string, string, (socket: Socket) => void, object, string | undefined]>([
  [
    'a bad head',
    'HTTP/1.1 200 OK\r\nx-token: secret\r\nset-cookie : secret\r\ncontent-type: a/b\r\n\r\nsecret',
    close,
    { reason: 'protocol', detail: expect.stringMatching(/^a field name has whitespace/) },
    'HTTP/1.1 200 OK\\r\\nx-token: …\\r\\nset-cookie : …\\r\\ncontent-type: a/b',
  ],
  [
    'a folded field',
    'HTTP/1.1 200 OK\r\nx-token: a\r\n secret\r\n\r\n',
    close,
    { reason: 'protocol' },
    'HTTP/1.1 200 OK\\r\\nx-token: …\\r\\n …',
  ],
  ['another protocol', 'SSH-2.0-OpenSSH\r\n', close, { reason: 'protocol' }, 'SSH-2.0-OpenSSH\\r\\n'],
  [
    'a head that breaks off',
    'HTTP/1.1 200 OK\r\nset-co',
    close,
    { reason: 'reset', detail: expect.any(String) },
    undefined,
  ],
  ['a close', '', close, { reason: 'reset', detail: 'the connection ended before a response' }, undefined],
  ['a reset', '', reset, { reason: 'reset', detail: 'read ECONNRESET' }, undefined],
  [
    'a bad chunk',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nsecret\r\nzz\r\n',
    close,
    { status: 200 },
    'HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked',
  ],
])('debug log: %s', async ([, bytes, end, expected, received], t) => {
  const { attempt, notHttp } = await lines(t, await answering(t, bytes, end))
  expect(attempt).toMatchObject({ level: 'debug', upstream: 'web', ...expected })
  if (received !== undefined) expect(notHttp).toMatchObject({ received, detail: expect.any(String) })
})

test('debug log: a refused connection has its address', async (t) => {
  const port = await freePort()
  const { attempt, request } = await lines(t, `http://127.0.0.1:${port}`)
  expect(attempt).toMatchObject({ reason: 'connect_refused', detail: `connect ECONNREFUSED 127.0.0.1:${port}` })
  expect(request).not.toHaveProperty('detail')
})

test.for<[string, object, string, RegExp]>([
  ['an unknown authority', {}, 'tls_certificate', /^unable to verify the first certificate$/],
  ['another name', { servername: 'other.internal' }, 'tls_certificate', /other\.internal.*web\.internal/],
])('TLS: the log and the problem tell of %s', async ([, tls, reason, detail], t) => {
  const upstream = await tlsUpstream(t, (_request, response) => response.end())
  const ca = 'servername' in tls ? { ca: fixture('ca.pem') } : {}
  const { answer, request, attempt } = await lines(t, `https://127.0.0.1:${upstream.port}`, { tls: { ...ca, ...tls } })
  const told = { reason, detail: expect.stringMatching(detail) }
  expect([request, attempt]).toMatchObject([told, told])
  expect(answer && problemOf(answer).detail).toMatch(detail)
})

test('TLS: the log and the problem tell of a server without it', async (t) => {
  const server = createServer((socket) => void socket.end('HTTP/1.1 400 no\r\n\r\n'))
  t.onTestFinished(() => void server.close())
  const { answer, request } = await lines(t, `https://127.0.0.1:${await listening(server)}`)
  expect(request).toMatchObject({ reason: 'tls_protocol', detail: 'wrong version number' })
  expect(answer && problemOf(answer).detail).toBe('wrong version number')
})

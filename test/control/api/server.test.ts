import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { onTestFinished, test } from 'vitest'
import { json, operation, PLAIN } from '../../../src/control/api/operation.ts'
import { type Observed, observationOperations } from '../../../src/control/api/operations/observation.ts'
import { type ControlOptions, startControl } from '../../../src/control/api/server.ts'
import type { Event } from '../../../src/events.ts'
import { takenPort } from '../../support/ports.ts'

const TEXT = 'text/plain; version=0.0.4'
const METRICS = {
  scrape: async () => ({ body: 'breakwater_build_info 1\n', contentType: TEXT }),
}

const HEALTH = {
  report: async () =>
    ({ status: 'unhealthy', service: 's', version: '1', checks: {}, timestamp: '2026-01-01T00:00:00Z' }) as const,
}

const WELL = () => ({ started: { listening: true }, ready: { listening: true } })

/** An operation that needs the token, since it shows data. */
const CLOSED = operation({
  ...PLAIN,
  id: 'secret',
  method: 'GET',
  path: '/v1/secret',
  summary: '',
  answers: {},
  answer: () => json(200, 'secret'),
})

async function start({
  metrics = METRICS,
  health = HEALTH,
  phase = WELL,
  ...options
}: Partial<ControlOptions & Observed> = {}) {
  const control = await startControl({
    key: 'control.listen',
    host: '127.0.0.1',
    port: 0,
    token: '',
    maxBodyBytes: 1_000,
    operations: [...observationOperations({ metrics, health, asked: health, phase }), CLOSED],
    emit: (event) => assert.fail(JSON.stringify(event)),
    ...options,
  })
  onTestFinished(() => control.close())
  return control
}

type Answer = { status: number | undefined; headers: IncomingHttpHeaders; body: string }

/** Sends the headers as given, also `Host`, which fetch does not let a caller set. */
async function ask(
  { port }: { port: number },
  path: string,
  { method = 'GET', host = '127.0.0.1', headers = {} }: { method?: string; host?: string; headers?: object } = {},
): Promise<Answer> {
  const asked = request({ host, port, path, method, headers: { ...headers }, agent: false }).end()
  const [response] = await once(asked, 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

const problemOf = ({ status, headers, body }: Answer) => {
  assert.equal(headers['content-type'], 'application/problem+json')
  const { type, title, detail, status: told } = JSON.parse(body)
  assert.equal(type, 'about:blank')
  assert.equal(told, status)
  return `${status} ${title}: ${detail}`
}

test('GET /metrics: answers with the scrape and its content type, also with a query', async () => {
  const { address } = await start()
  const { status, headers, body } = await ask(address, '/metrics?name[]=x')
  assert.deepEqual([status, headers['content-type'], body], [200, TEXT, 'breakwater_build_info 1\n'])
  assert.equal(headers['cache-control'], 'no-store')
})

test('GET /livez: says ok', async () => {
  const { address } = await start()
  const response = await fetch(`http://127.0.0.1:${address.port}/livez`)
  assert.deepEqual([response.status, await response.text()], [200, 'ok\n'])
})

test('probes: name the unmet condition; with ?verbose they list every condition', async () => {
  let [listening, accepting] = [false, true]
  const phase = () => ({ started: { listening }, ready: { listening, 'accepting requests': accepting } })
  const { address } = await start({ phase })
  const told = async (path: string) => {
    const { status, body } = await ask(address, path)
    return [status, body]
  }
  assert.equal(problemOf(await ask(address, '/readyz')), '503 Service Unavailable: not listening')
  assert.equal(problemOf(await ask(address, '/startupz')), '503 Service Unavailable: not listening')
  assert.deepEqual(await told('/livez?verbose'), [200, '[+]alive ok\n'])
  listening = true
  assert.deepEqual(
    [await told('/readyz'), await told('/startupz')],
    [
      [200, 'ok\n'],
      [200, 'ok\n'],
    ],
  )
  accepting = false
  assert.deepEqual(await told('/readyz?verbose'), [503, '[+]listening ok\n[-]accepting requests failed\n'])
  assert.deepEqual(await told('/startupz'), [200, 'ok\n'])
})

test('GET /health: is 503 when a critical check fails, and needs no token', async () => {
  const { address } = await start({ token: 'secret' })
  const { status, body } = await ask(address, '/health')
  assert.deepEqual([status, JSON.parse(body)], [503, await HEALTH.report()])
})

test('HEAD: has the head of GET and no body', async () => {
  const { address } = await start()
  const { status, headers, body } = await ask(address, '/metrics', { method: 'HEAD' })
  assert.deepEqual([status, headers['content-length'], body], [200, '24', ''])
})

for (const path of ['/', '/metrics/', '/constructor', '/v1/upstreams', '//metrics']) {
  test(`GET ${path} is answered with 404`, async () => {
    const { address } = await start()
    assert.equal(problemOf(await ask(address, path)), `404 Not Found: no such path: ${path}`)
  })
}

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
  test(`${method} /metrics is answered with 405, and Allow names the allowed methods`, async () => {
    const { address } = await start()
    const answer = await ask(address, '/metrics', { method })
    assert.equal(problemOf(answer), '405 Method Not Allowed: /metrics allows GET, HEAD')
    assert.equal(answer.headers.allow, 'GET, HEAD')
  })
}

const OWN_NAMES = ['localhost', 'LOCALHOST:8081', 'app.localhost', '127.0.0.1', '127.9.8.7:1', '[::1]', '[::1]:8081']
const OTHER_NAMES = [
  'evil.example',
  'evil.example:8081',
  'localhost.evil.example',
  'notlocalhost',
  '127.0.0.1.evil.example',
  '127.1',
  '10.0.0.1',
  '[::2]',
  '::1',
  '[::1].evil.example',
  'localhost:80:80',
]

for (const name of OWN_NAMES) {
  test(`a listener on loopback answers to Host: ${name}`, async () => {
    const { address } = await start()
    for (const path of ['/metrics', '/livez', '/readyz']) {
      assert.equal((await ask(address, path, { headers: { host: name } })).status, 200)
    }
  })
}

for (const name of OTHER_NAMES) {
  test(`a listener on loopback answers 403 to Host: ${name}`, async () => {
    const { address } = await start()
    for (const path of ['/metrics', '/livez', '/readyz', '/none']) {
      const answer = await ask(address, path, { headers: { host: name } })
      assert.equal(problemOf(answer), `403 Forbidden: the control listener does not serve the host ${name}`)
    }
  })
}

for (const [what, head] of [
  ['no Host, as HTTP/1.0 allows', 'GET /metrics HTTP/1.0\r\n\r\n'],
  ['an empty Host', 'GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'],
] as const) {
  test(`a listener on loopback answers ${what}, which no browser sends`, async () => {
    const { address } = await start()
    const socket = connect(address.port, '127.0.0.1')
    socket.write(head)
    assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n/)
  })
}

test('control listener: on all addresses it answers to any Host', async () => {
  const { address } = await start({ host: '0.0.0.0', token: 'secret' })
  assert.equal((await ask(address, '/livez', { headers: { host: 'breakwater.example' } })).status, 200)
})

test('token: without control.token, a token in the request is ignored', async () => {
  const { address } = await start()
  assert.equal((await ask(address, '/metrics', { headers: { authorization: 'Bearer old' } })).status, 200)
})

test('token: data needs it, metrics and probes do not', async () => {
  const { address } = await start({ token: 'secret' })
  const status = async (path: string, authorization?: string) =>
    (await ask(address, path, { headers: authorization === undefined ? {} : { authorization } })).status
  assert.deepEqual([await status('/livez'), await status('/readyz'), await status('/metrics')], [200, 200, 200])
  assert.deepEqual(
    [await status('/v1/secret', 'Bearer secret'), await status('/v1/secret', 'bearer secret')],
    [200, 200],
  )
  for (const wrong of [undefined, 'Bearer secre', 'Bearer secrets', 'Bearer ', 'secret', 'Basic secret', 'Bearer']) {
    assert.equal(await status('/v1/secret', wrong), 401)
  }
  const answer = await ask(address, '/v1/secret')
  assert.equal(problemOf(answer), '401 Unauthorized: /v1/secret needs the token of control.token')
  assert.equal(answer.headers['www-authenticate'], 'Bearer')
})

test('token: letters beyond ASCII are compared as UTF-8 bytes', async () => {
  const { address } = await start({ token: 'Öffne dich' })
  const authorization = `Bearer ${Buffer.from('Öffne dich').toString('latin1')}`
  assert.equal((await ask(address, '/v1/secret', { headers: { authorization } })).status, 200)
})

test('GET /metrics: a scrape that fails is a 500; the fault event has the cause', async () => {
  const faults: Event[] = []
  const error = new Error('at /home/secret')
  const { address } = await start({
    metrics: { ...METRICS, scrape: () => Promise.reject(error) },
    emit: (event) => faults.push(event),
  })
  const answer = await ask(address, '/metrics')
  assert.equal(problemOf(answer), '500 Internal Server Error: internal error: see the log of the sidecar')
  assert.deepEqual(faults, [{ kind: 'fault', error, where: 'control' }])
})

test('control listener: a port in use is refused with its key and address', async (t) => {
  const port = await takenPort(t)
  await assert.rejects(start({ port }), {
    message: `control.listen 127.0.0.1:${port}: the port is in use`,
  })
})

test('control listener: a foreign address is refused with its key and address', async () => {
  await assert.rejects(start({ host: '192.0.2.1', port: 8081 }), {
    message: 'control.listen 192.0.2.1:8081: no such address on this machine',
  })
  await assert.rejects(start({ host: '2001:db8::1', port: 8081 }), {
    message: 'control.listen [2001:db8::1]:8081: no such address on this machine',
  })
})

const HEAD = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'

test('close: connections that are silent, idle or halfway through a request end at once', async () => {
  const control = await start()
  const sockets = ['', HEAD, `${HEAD}GET /livez HTTP/1.1\r\nHo`].map((sent) => {
    const socket = connect(control.address.port, '127.0.0.1')
    socket.write(sent)
    return { socket, answered: once(socket, sent === '' ? 'connect' : 'data') }
  })
  await Promise.all(sockets.map(({ answered }) => answered))
  await control.close()
  await Promise.all(sockets.map(({ socket }) => text(socket)))
})

test('close: waits until the response under way is sent, then closes its connection', async () => {
  let answerScrape: (body: string) => void = () => {}
  const asked = Promise.withResolvers<void>()
  const scrape = () => {
    asked.resolve()
    return new Promise<{ body: string; contentType: string }>((resolve) => {
      answerScrape = (body) => resolve({ body, contentType: TEXT })
    })
  }
  const control = await start({ metrics: { ...METRICS, scrape } })
  const socket = connect(control.address.port, '127.0.0.1')
  socket.write(HEAD)
  await asked.promise
  const closed = control.close()
  answerScrape('the last\n')
  assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nthe last\n$/s)
  await closed
})

test('origin: a page of another origin gets 403 for changes; the own page and other clients do not', async () => {
  const changed: string[] = []
  const change = operation({
    ...PLAIN,
    id: 'change',
    method: 'POST',
    path: '/v1/change',
    summary: '',
    answers: {},
    answer: () => {
      changed.push('once')
      return json(200, 'changed')
    },
  })
  const { address } = await start({ operations: [change, CLOSED] })
  const own = `127.0.0.1:${address.port}`
  const asked = (origin?: string, method = 'POST') =>
    ask(address, method === 'POST' ? '/v1/change' : '/v1/secret', {
      method,
      headers: { host: own, ...(origin === undefined ? {} : { origin }) },
    })
  for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${address.port + 1}`, '']) {
    assert.equal(problemOf(await asked(origin)), '403 Forbidden: calls from pages of another origin are refused')
  }
  assert.deepEqual(changed, [])
  assert.equal((await asked(`http://${own}`)).status, 200)
  assert.equal((await asked()).status, 200)
  // A read is answered: the browser itself withholds the response from such a page.
  assert.equal((await asked('http://evil.example', 'GET')).status, 200)
  assert.deepEqual(changed, ['once', 'once'])
})

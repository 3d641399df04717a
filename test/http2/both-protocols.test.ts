/** What a client sees is the same over HTTP/2 and over HTTP/1.1. */

import { randomBytes } from 'node:crypto'
import { request as requestPlain } from 'node:http'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { breakOff, overTls, PROTOCOLS, type Protocol, type Serve } from '../support/protocols.ts'

const MIB = 1024 * 1024
const LARGE = randomBytes(5 * MIB)

/** Answers each request with the handler of its number; the last one serves all later ones. */
const inTurn =
  (...serves: Serve[]): Serve =>
  (request, response, n) =>
    serves[Math.min(n, serves.length) - 1]?.(request, response, n)

const answering =
  (status: number, headers: Record<string, string> = {}, body = ''): Serve =>
  (_request, response) => {
    response.writeHead(status, headers)
    response.end(body)
  }

/** Ends a response before its length. */
function endShort(response: Parameters<Serve>[1]): void {
  if ('stream' in response) response.end()
  else response.socket?.end()
}

const hanging: Serve = (request) => void request.resume()

describe.each(Object.keys(PROTOCOLS) as Protocol[])('%s', (protocol) => {
  test('a GET arrives with its fields, and its response with all of its own', async (t) => {
    const seen: object[] = []
    const serve: Serve = (request, response) => {
      const { host, ':authority': authority, cookie, 'x-a': a, 'x-latin': latin, connection } = request.headers
      seen.push([request.method, request.url, host ?? authority, cookie, a, latin, protocol === 'HTTP/2' && connection])
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/plain', 'x-latin': 'caf\xe9' })
      response.end('hello')
    }
    const { url, upstream } = await overTls(t, protocol, serve)
    const headers = [
      'Host',
      'x',
      'Cookie',
      'a=1; b=2',
      'X-A',
      '1',
      'x-a',
      '2',
      'X-Latin',
      'caf\xe9',
      'Connection',
      'x-hop',
      'X-Hop',
      '1',
    ]
    const answer = await ask(`${url}/a%20b?c=%2F`, { headers })
    expect(seen).toEqual([
      [
        'GET',
        '/a%20b?c=%2F',
        `127.0.0.1:${upstream.port}`,
        'a=1; b=2',
        '1, 2',
        'caf\xe9',
        protocol === 'HTTP/2' && undefined,
      ],
    ])
    expect([answer.status, answer.body.toString(), answer.headers['set-cookie'], answer.headers['x-latin']]).toEqual([
      200,
      'hello',
      ['a=1', 'b=2'],
      'caf\xe9',
    ])
    expect(answer.headers['content-type']).toBe('text/plain')
  })

  test('host: preserve reaches the upstream', async (t) => {
    const serve: Serve = (request, response) =>
      void response.end(request.headers.host ?? String(request.headers[':authority']))
    const { url, upstream } = await overTls(t, protocol, serve, { host: 'preserve' })
    expect((await ask(url, { headers: { host: 'a.example' } })).body.toString()).toBe('a.example')
    expect((await ask(url, { headers: { host: 'b.example' } })).body.toString()).toBe('b.example')
    expect(upstream.connections()).toBe(1)
  })

  test.for([
    ['of known length', (): Buffer | Readable => LARGE],
    ['of unknown length', () => Readable.from([LARGE.subarray(0, MIB), LARGE.subarray(MIB)])],
  ] as const)('a large body %s comes back byte for byte', async ([, body], t) => {
    const { url } = await overTls(t, protocol, (request, response) => void request.pipe(response))
    const answer = await ask(url, { method: 'POST', body: body() })
    expect(answer.body.equals(LARGE)).toBe(true)
  })

  test('an empty POST arrives with its length', async (t) => {
    const serve: Serve = (request, response) => void response.end(String(request.headers['content-length']))
    const { url } = await overTls(t, protocol, serve)
    expect((await ask(url, { method: 'POST', headers: { 'content-length': 0 } })).body.toString()).toBe('0')
  })

  test('a 413 that comes before the upload is over reaches the client', async (t) => {
    const serve: Serve = (_request, response) => {
      response.writeHead(413, protocol === 'HTTP/2' ? {} : { connection: 'close' })
      response.end('too much')
    }
    const { url, proxy } = await overTls(t, protocol, serve)
    const body = Readable.from([LARGE, LARGE, LARGE])
    const answer = await ask(url, { method: 'POST', headers: { 'content-length': 3 * LARGE.length }, body }).catch(
      () => undefined,
    )
    if (answer !== undefined) expect([answer.status, answer.body.toString()]).toEqual([413, 'too much'])
    const line = await proxy.logged(({ msg }) => msg === 'request')
    expect(line).toMatchObject({ status: 413, attempts: 1 })
    expect((await ask(url)).status).toBe(413)
  })

  test('a POST that was answered with 503 is sent again, body and all', async (t) => {
    const bodies: string[] = []
    const echo: Serve = (request, response) => {
      request.setEncoding('latin1')
      let text = ''
      request.on('data', (part: string) => {
        text += part
      })
      request.on('end', () => {
        bodies.push(text)
        response.writeHead(bodies.length === 1 ? 503 : 200)
        response.end(text)
      })
    }
    const retry = { attempts: 2, methods: ['POST'], backoff: { initial: '1s', jitter: 0 } }
    const { url, clock } = await overTls(t, protocol, echo, { retry })
    const answer = ask(url, { method: 'POST', body: 'once' })
    await clock.elapse(1_000)
    expect([(await answer).status, (await answer).body.toString()]).toEqual([200, 'once'])
    expect(bodies).toEqual(['once', 'once'])
  })

  test.for([
    ['memory', { memory: '8MiB', disk: '0B' }],
    ['disk', { memory: '64KiB', disk: '16MiB' }],
  ] as const)('an upload that is sent again from %s arrives byte for byte', async ([, bodyBuffer], t) => {
    const arrived: boolean[] = []
    const serve: Serve = (request, response, n) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        arrived.push(Buffer.concat(chunks).equals(LARGE))
        response.writeHead(n < 4 ? 503 : 200)
        response.end()
      })
    }
    const retry = { attempts: 4, backoff: { initial: '1s', factor: 1, jitter: 0 }, bodyBuffer }
    const { url, clock } = await overTls(t, protocol, serve, { retry, breaker: false })
    const answer = ask(url, { method: 'PUT', body: LARGE })
    for (let n = 1; n < 4; n += 1) await clock.elapse(1_000)
    expect((await answer).status).toBe(200)
    expect(arrived).toEqual([true, true, true, true])
  })

  test('a held poll is answered when the status leaves the list', async (t) => {
    const report = (status: string) =>
      answering(200, { 'content-type': 'application/json' }, JSON.stringify({ status }))
    const hold = { json: '/status', in: ['queued'], upTo: '20s', every: '2s' }
    const { url, clock } = await overTls(t, protocol, inTurn(report('queued'), report('completed')), {
      routes: [{ match: 'GET /jobs/{id}', hold }],
    })
    const answer = ask(`${url}/jobs/1`)
    await clock.elapse(2_000)
    expect((await answer).body.toString()).toBe('{"status":"completed"}')
  })

  test('a download that breaks off is resumed where it stopped', async (t) => {
    const first: Serve = (_request, response) => {
      response.writeHead(200, { 'content-length': '10', etag: '"v1"', 'accept-ranges': 'bytes' })
      response.write('01234', () => breakOff(response))
    }
    const ranges: unknown[] = []
    const rest: Serve = (request, response) => {
      ranges.push(request.headers.range)
      response.writeHead(206, { 'content-length': '5', etag: '"v1"', 'content-range': 'bytes 5-9/10' })
      response.end('56789')
    }
    const { url, clock } = await overTls(t, protocol, inTurn(first, rest), {
      retry: { attempts: 3, backoff: { initial: '1s', jitter: 0 } },
      routes: [{ match: 'GET /file', resume: true }],
    })
    const answer = ask(`${url}/file`)
    await clock.elapse(1_000)
    expect((await answer).body.toString()).toBe('0123456789')
    expect(ranges).toEqual(['bytes=5-'])
  })

  test('a client that leaves ends its call at the upstream', async (t) => {
    const left = Promise.withResolvers<void>()
    const serve: Serve = (_request, response) => void response.once('close', left.resolve)
    const { url, upstream } = await overTls(t, protocol, serve)
    const outgoing = requestPlain(url, { agent: false })
    outgoing.on('error', () => {})
    outgoing.end()
    await upstream.begun(1)
    outgoing.socket?.resetAndDestroy()
    await left.promise
  })

  test('timeout.attempt ends a call whose head does not come', async (t) => {
    const retry = { attempts: 2, backoff: { initial: '1s', jitter: 0 } }
    const { url, clock, upstream } = await overTls(t, protocol, inTurn(hanging, answering(200)), {
      retry,
      timeout: { attempt: '3s', total: '20s' },
    })
    const answer = ask(url)
    await upstream.begun(1)
    await clock.elapse(3_000)
    await clock.elapse(1_000)
    expect((await answer).status).toBe(200)
  })

  test('timeout.total ends a call whose head does not come', async (t) => {
    const { url, clock, upstream } = await overTls(t, protocol, hanging, { timeout: { attempt: '7s', total: '7s' } })
    const answer = ask(url)
    await upstream.begun(1)
    await clock.advance(7_000)
    expect(problemOf(await answer)).toMatchObject({ status: 504, type: 'urn:breakwater:total_timeout' })
  })

  test('timeout.idle ends a body that stops', async (t) => {
    const serve: Serve = (_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('01234')
    }
    const { url, clock, proxy } = await overTls(t, protocol, serve, { timeout: { idle: '9s' } })
    const client = openRaw(Number(new URL(url).port))
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/01234$/)
    await clock.elapse(9_000)
    await client.ended
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'idle_timeout' })
  })

  test('timeout.idle ends an upload that the upstream does not take', async (t) => {
    const { url, clock, upstream, proxy } = await overTls(t, protocol, () => {}, {
      timeout: { idle: '8s', attempt: '10m', total: '1h' },
      clientTimeout: '2h',
      retry: { attempts: 1, bodyBuffer: { memory: '1KiB', disk: '0B' } },
    })
    const body = Readable.from(Array.from({ length: 4 }, () => LARGE))
    const answer = ask(url, { method: 'POST', body }).catch(() => undefined)
    await upstream.begun(1)
    const isOver = () => proxy.log.some(({ msg }) => msg === 'request')
    for (let i = 0; i < 1_000 && !isOver(); i += 1) {
      await turn()
      await clock.advance(1_000)
    }
    await answer
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'idle_timeout', status: 504 })
  })

  test('trailers and interim responses are relayed', async (t) => {
    const serve: Serve = (_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      response.writeHead(200, protocol === 'HTTP/2' ? {} : { trailer: 'x-sum' })
      response.write('body')
      response.addTrailers({ 'x-sum': '42' })
      response.end()
    }
    const { url } = await overTls(t, protocol, serve)
    const answer = await ask(url, { headers: { te: 'trailers' } })
    expect([answer.body.toString(), answer.trailers]).toEqual(['body', { 'x-sum': '42' }])
    expect(answer.informational.map(({ status, headers }) => [status, headers.link])).toEqual([
      [103, '</a.css>; rel=preload'],
    ])
  })

  test.for([
    ['HEAD', 200, { 'content-length': '5' }],
    ['GET', 204, {}],
    ['GET', 304, { etag: '"a"' }],
  ] as const)('the response to %s with %i has no body', async ([method, status, headers], t) => {
    const { url, upstream } = await overTls(t, protocol, answering(status, headers))
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(url, { method })
      expect([answer.status, answer.body.length]).toEqual([status, 0])
      expect(answer.headers).toMatchObject(headers)
    }
    expect(upstream.connections()).toBe(1)
  })

  test('a status has its registered reason', async (t) => {
    const { url } = await overTls(t, protocol, answering(404))
    const client = openRaw(Number(new URL(url).port))
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
  })

  test("a body of unknown length whose connection is lost cuts the client's", async (t) => {
    const { url, upstream, proxy } = await overTls(t, protocol, (_request, response) => {
      response.writeHead(200)
      response.write('01234', () => upstream.drop())
    })
    const client = openRaw(Number(new URL(url).port))
    client.send('GET / HTTP/1.0\r\n\r\n')
    expect(await client.ended).toBe('reset')
    await expect(ask(url)).rejects.toThrow()
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'body_truncated' })
  })

  test('an upload with Expect is asked for, and arrives', async (t) => {
    const { url } = await overTls(t, protocol, (request, response) => void request.pipe(response))
    const client = openRaw(Number(new URL(url).port))
    client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n')
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
    client.send('hello')
    await client.ended
    expect(client.received).toMatch(/HTTP\/1\.1 200 OK\r\n[\s\S]*hello/)
  })

  test('a request head of 40 KiB and one of a response arrive', async (t) => {
    const long = 'x'.repeat(40_000)
    const serve: Serve = (request, response) => {
      response.writeHead(200, { 'x-long': `${request.headers['x-long']}` })
      response.end()
    }
    const { url } = await overTls(t, protocol, serve, {}, { maxHeaderSize: 64 * 1024 })
    const client = openRaw(Number(new URL(url).port))
    client.send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ${long}\r\n\r\n`)
    await client.ended
    expect(client.received).toContain(`x-long: ${long}\r\n`)
  })

  test('a job that its report shows to have failed opens the breaker, and a probe closes it', async (t) => {
    const report = (status: string) =>
      answering(200, { 'content-type': 'application/json' }, JSON.stringify({ status }))
    const serve = inTurn(report('failed'), report('failed'), report('completed'), report('failed'))
    const { url, clock, proxy } = await overTls(t, protocol, serve, {
      breaker: { consecutiveFailures: 2, openFor: '1s', patience: '0s', failureRate: false },
      routes: [{ match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } }],
    })
    const statuses: number[] = []
    for (const id of [1, 2, 3]) statuses.push((await ask(`${url}/jobs/${id}`)).status)
    await clock.advance(1_100)
    for (const id of [3, 4, 5]) statuses.push((await ask(`${url}/jobs/${id}`)).status)
    expect(statuses).toEqual([200, 200, 503, 200, 200, 200])
    expect(await proxy.logged(({ msg }) => msg === 'breaker open')).toMatchObject({ cause: 'jobs' })
  })

  test('a job is followed from its creation to its end', async (t) => {
    const json = { 'content-type': 'application/json' }
    const serve = inTurn(answering(201, json, '{"id":7}'), answering(200, json, '{"status":"completed"}'))
    const { url, proxy } = await overTls(t, protocol, serve, {
      routes: [
        { match: 'POST /jobs', creates: { id: { json: '/id' } } },
        { match: 'GET /jobs/{id}', job: 'id', completedWhen: { json: '/status', in: ['completed'] } },
      ],
    })
    await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
    await ask(`${url}/jobs/7`)
    expect(await proxy.logged(({ msg }) => msg === 'job ended')).toMatchObject({ job: '7', outcome: 'completed' })
    expect(proxy.log.filter(({ msg }) => msg === 'request')).toMatchObject([{ job_id: '7' }, { job_id: '7' }])
  })

  test('concurrency.max holds requests back, and the queue bounds how many wait', async (t) => {
    const kept: Parameters<Serve>[1][] = []
    const serve: Serve = (_request, response) => void kept.push(response)
    const { url, upstream } = await overTls(t, protocol, serve, { concurrency: { max: 1, queue: 1 } })
    const first = ask(url)
    await upstream.begun(1)
    const both = [ask(url), ask(url)]
    expect(problemOf(await Promise.race(both)).type).toBe('urn:breakwater:queue_full')
    expect(kept).toHaveLength(1)
    kept[0]?.end()
    await upstream.begun(2)
    kept[1]?.end()
    expect((await first).status).toBe(200)
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 503])
  })

  test('a hedge takes over, and the call that lost is ended at the upstream', async (t) => {
    const lost = Promise.withResolvers<void>()
    const slow: Serve = (_request, response) => void response.once('close', lost.resolve)
    const { url, clock, upstream } = await overTls(t, protocol, inTurn(slow, answering(200, {}, 'fast')), {
      routes: [{ match: 'GET /', hedge: { after: '100ms', max: 1 } }],
    })
    const answer = ask(url)
    await upstream.begun(1)
    await clock.elapse(100)
    expect((await answer).body.toString()).toBe('fast')
    await lost.promise
  })

  test('collapse: three clients share one call', async (t) => {
    const kept: Parameters<Serve>[1][] = []
    const serve: Serve = (_request, response) => void kept.push(response)
    const { url, upstream, proxy } = await overTls(t, protocol, serve, {
      routes: [{ match: 'GET /a', collapse: true }],
    })
    const answers = [1, 2, 3].map(() => ask(`${url}/a`))
    await upstream.begun(1)
    const isShared = () => proxy.log.filter(({ msg }) => msg === 'shared').length === 2
    while (!isShared()) await turn()
    kept[0]?.end('shared')
    expect((await Promise.all(answers)).map(({ body }) => body.toString())).toEqual(['shared', 'shared', 'shared'])
    expect(upstream.versions).toHaveLength(1)
  })

  test('twenty calls on connections that are lost are made again', async (t) => {
    const kept: Parameters<Serve>[1][] = []
    const serve: Serve = (_request, response, n) => void (n > 20 ? response.end('ok') : kept.push(response))
    const { url, clock, upstream } = await overTls(t, protocol, serve, {
      retry: { attempts: 3, backoff: { initial: '1s', jitter: 0 }, budget: { minPerSecond: 100 } },
      breaker: { consecutiveFailures: 5, openFor: '1s' },
      timeout: { attempt: '20s', total: '60s' },
    })
    const answers = Array.from({ length: 20 }, () => ask(url))
    await upstream.begun(20)
    await clock.advance(500)
    upstream.drop()
    let statuses: number[] | undefined
    void Promise.all(answers).then((all) => (statuses = all.map(({ status }) => status)))
    for (let i = 0; statuses === undefined && i < 2_000; i += 1) {
      await turn()
      if (i % 20 === 0) await clock.advance(100)
    }
    expect(statuses).toEqual(Array(20).fill(200))
  })

  test.for([
    ['is reset', (response: Parameters<Serve>[1]) => breakOff(response)],
    ['is shorter than its length', (response: Parameters<Serve>[1]) => endShort(response)],
  ] as const)("a body that %s cuts the client's connection", async ([, stop], t) => {
    const { url, proxy } = await overTls(t, protocol, (_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('01234', () => stop(response))
    })
    await expect(ask(url)).rejects.toThrow()
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'body_truncated' })
  })
})

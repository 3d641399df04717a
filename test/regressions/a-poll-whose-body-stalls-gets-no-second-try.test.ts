/**
 * The JSON of a poll stopped in the middle, or broke off. The head had been relayed with the first bytes, so that the client waited
 * for `timeout.idle`, or was cut, and no second attempt was made.
 */

import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const DONE = '{"status":"done"}'
const done: Scene = { headers: { ...JSON_TYPE, 'content-length': String(DONE.length) }, body: DONE }
const HALF = '{"status"'

const hold = { match: 'GET /runs/{id}', hold: { json: '/status', in: ['running'], upTo: '50s', every: '2s' } }

/** The first response is left to the test, the next one is whole. */
async function withPolls(t: Scope, defaults: object = {}) {
  const first = Promise.withResolvers<ServerResponse>()
  const open: Scene = (_, response) => first.resolve(response)
  const fixture = await withSidecar(t, [open, done], { defaults, web: { routes: [hold] } })
  return {
    ...fixture,
    /** Sends a head a second after the request, so that no limit of the attempt ends together with one of the body. */
    begin: async (headers: Readonly<Record<string, string | number>> = { 'content-length': DONE.length }) => {
      const response = await first.promise
      await fixture.clock.advance(1_000)
      response.writeHead(200, { ...JSON_TYPE, ...headers })
      response.write(HALF)
      return response
    },
  }
}

test.for(['/plain', '/runs/7'])(
  'a small body of %s that stalls for timeout.attempt is asked for again',
  async (path, t) => {
    const { clock, url, upstream, proxy, begin } = await withPolls(t)
    const answer = ask(`${url}${path}`)
    await begin()
    await clock.elapse(12_000)
    await upstream.gone(1)
    await clock.elapse(2_000)
    const { body, headers } = await answer
    expect([body.toString(), headers['x-breakwater-attempts']]).toEqual([DONE, '2'])
    const line = await proxy.logged(({ msg }) => msg === 'request')
    expect(line).toMatchObject({
      status: 200,
      attempts: 2,
      history: [
        { at_ms: 0, ms: 13_000, outcome: 'attempt_timeout' },
        { at_ms: 15_000, outcome: '200' },
      ],
    })
    const route = path === '/plain' ? '*' : hold.match
    expect(await proxy.sample('bodyFailures', { upstream: 'web', route, end: 'attempt_timeout' })).toBe(1)
    expect(await proxy.sample('retries', { upstream: 'web', route, cause: 'attempt_timeout' })).toBe(1)
  },
)

test('a shorter timeout.idle bounds a body that is held back', async (t) => {
  const { clock, url, begin } = await withPolls(t, { timeout: { idle: '5s' } })
  const answer = ask(`${url}/plain`)
  await begin()
  await clock.elapse(5_000)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe(DONE)
})

test.for(['/plain', '/runs/7'])('a small body of %s that breaks off is asked for again', async (path, t) => {
  const { clock, url, proxy, begin } = await withPolls(t)
  const answer = ask(`${url}${path}`)
  const response = await begin()
  await clock.armed(12_000)
  response.socket?.resetAndDestroy()
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe(DONE)
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ attempts: 2, history: [{ outcome: 'body_truncated' }, { outcome: '200' }] })
})

test('a body that stalled is a failure of the upstream', async (t) => {
  const breaker = { consecutiveFailures: 1, failureRate: false, openFor: '1m', openForMax: '1m' }
  const { clock, url, proxy, port, begin } = await withPolls(t, { breaker })
  const client = openRaw(port)
  client.send('GET /plain HTTP/1.1\r\nhost: x\r\n\r\n')
  await begin()
  await clock.elapse(12_000)
  await proxy.logged(({ msg }) => msg === 'breaker open')
  // Its own breaker leaves no second attempt: the client gets to know why.
  expect(await client.until(/attempt_timeout/)).toContain('HTTP/1.1 504')
  expect((await ask(`${url}/plain`)).status).toBe(503)
})

const HEAD = /^HTTP\/1\.1 200 OK\r\n.*\{"status"/s

test.for([
  ['an unknown length', 'GET', {}, {}],
  ['over 64 KiB', 'GET', { 'content-length': 65_537 }, {}],
  ['over inspect', 'GET', { 'content-length': 1_025 }, { inspect: '1KiB' }],
  ['an event stream', 'GET', { 'content-type': 'text/event-stream' }, {}],
  ['a POST', 'POST', { 'content-length': DONE.length }, {}],
  ['a client that may have but one attempt', 'GET', { 'content-length': DONE.length }, { retry: { attempts: 1 } }],
] as const)('the head goes out at once: %s', async ([, method, headers, defaults], t) => {
  const { begin, port } = await withPolls(t, defaults)
  const client = openRaw(port)
  client.send(`${method} /plain HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`)
  await begin(headers)
  await client.until(HEAD)
})

test('a body that comes late and in parts is relayed as it comes', async (t) => {
  const { clock, begin, port, upstream } = await withPolls(t)
  const client = openRaw(port)
  client.send('GET /plain HTTP/1.1\r\nhost: x\r\n\r\n')
  const response = await begin()
  await clock.armed(12_000)
  await clock.advance(251)
  response.write(':')
  await client.until(/\{"status":/)
  response.end('"done"}')
  await client.until(/"done"\}/)
  expect(upstream.arrivals.length).toBe(1)
})

test('without time for another attempt the head waits a quarter of a second', async (t) => {
  const { clock, begin, port } = await withPolls(t, { timeout: { attempt: '20s', total: '20s' } })
  const client = openRaw(port)
  client.send('GET /plain HTTP/1.1\r\nhost: x\r\n\r\n')
  await begin()
  await clock.elapse(250)
  await client.until(HEAD)
})

test('the client that leaves ends the wait for a body', async (t) => {
  const { clock, begin, port, upstream, proxy } = await withPolls(t)
  const client = openRaw(port)
  client.send('GET /plain HTTP/1.1\r\nhost: x\r\n\r\n')
  await begin()
  await clock.armed(12_000)
  client.socket.destroy()
  await upstream.gone(1)
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ status: 499, reason: 'client_gone', attempts: 1 })
  expect(await proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
})

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scene, Scope, ScriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const NO_RETRY = { retry: { attempts: 1 } }

const withTimeouts = (t: Scope, scenes: readonly Scene[], settings: object = NO_RETRY) =>
  withSidecar(t, scenes, { web: settings })

const answersAfter =
  (ms: number, clock: FakeClock): Scene =>
  (_, response) =>
    void clock.after(ms, () => response.end('slow'))

/** Two attempts are cut by the default `attempt`; the third has begun. */
async function twoAreCut(clock: FakeClock, upstream: ScriptedUpstream): Promise<void> {
  for (const [k, ms] of [12_000, 12_000].entries()) {
    await upstream.arrival(k + 1)
    await clock.advance(ms)
    await clock.elapse(2_000 * 2 ** k)
  }
  await upstream.arrival(3)
}

test('timeout.attempt: bounds an attempt that another may follow; the last one has the time that is left', async (t) => {
  const { clock, upstream, url } = await withTimeouts(t, ['hang'], {
    retry: { attempts: 2 },
    timeout: { attempt: '10s', total: '25s' },
  })
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.advance(9_999)
  expect(upstream.arrivals).toHaveLength(1)
  await clock.advance(1)
  await upstream.gone(1)
  await clock.elapse(2_000)
  await upstream.arrival(2)
  await clock.advance(12_999)
  await clock.elapse(1)
  const answered = await answer
  expect([answered.status, answered.headers['proxy-status']]).toEqual([504, 'breakwater; error=http_response_timeout'])
  expect(problemOf(answered)).toMatchObject({
    type: 'urn:breakwater:total_timeout',
    detail: 'no answer within timeout.total: 25s',
    limit: { key: 'timeout.total', value: '25s' },
    attempts: 2,
    upstream: 'web',
  })
  await upstream.gone(2)
})

test.for([
  ['a POST, which is not repeated', { method: 'POST', body: 'x' }, {}],
  ['a route with one attempt', {}, { retry: { attempts: 1 } }],
  ['a route that does not retry timeouts', {}, { retry: { on: [503] } }],
] as const)('timeout.attempt: does not bound %s', async ([, request, settings], t) => {
  const gate: { open?: () => void } = {}
  const held: Scene = (_, response) => {
    gate.open = () => void response.end('late')
  }
  const { clock, upstream, url } = await withTimeouts(t, [held], settings)
  const answer = ask(url, request)
  await upstream.arrival(1)
  await clock.advance(59_000)
  gate.open?.()
  expect((await answer).body.toString()).toBe('late')
  expect(upstream.arrivals).toHaveLength(1)
})

test('timeout.attempt: a GET that is slow as a rule has one attempt with the time that is left', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, (clock) => [answersAfter(28_000, clock)])
  const answer = ask(url)
  await twoAreCut(clock, upstream)
  await clock.advance(28_000)
  expect((await answer).body.toString()).toBe('slow')
})

test('timeout.attempt: where a call has taken longer, later ones of its path are not cut', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, (clock) => [answersAfter(20_000, clock)])
  const first = ask(`${url}/reports/1`)
  await twoAreCut(clock, upstream)
  await clock.advance(20_000)
  expect((await first).status).toBe(200)
  const second = ask(`${url}/reports/2`)
  await upstream.arrival(4)
  await clock.advance(20_000)
  expect((await second).status).toBe(200)
  expect(upstream.arrivals).toHaveLength(4)
})

test('timeout.attempt: a call that no attempt was long enough for costs no later one its answer', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, (clock) => [answersAfter(40_000, clock)])
  const first = ask(`${url}/reports/1`)
  await twoAreCut(clock, upstream)
  await clock.advance(30_000)
  expect((await first).status).toBe(504)
  const second = ask(`${url}/reports/2`)
  await upstream.arrival(4)
  await clock.advance(40_000)
  expect((await second).status).toBe(200)
})

test('timeout.attempt and total: start at the end of the request; idle bounds a slow upload', async (t) => {
  const { clock, upstream, proxy, port } = await withTimeouts(t, ['hang'], {
    retry: { attempts: 2 },
    timeout: { attempt: '3s', idle: '10s', total: '20s' },
  })
  const raw = openRaw(port)
  raw.send('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello')
  await upstream.begun(1)
  await clock.advance(9_000)
  expect(proxy.log.filter(({ reason }) => reason !== undefined)).toEqual([])
  raw.send('world')
  await upstream.arrival(1)
  await clock.advance(2_999)
  expect(upstream.arrivals).toHaveLength(1)
  await clock.advance(1)
  await upstream.gone(1)
  await clock.elapse(2_000)
  await upstream.arrival(2)
  // 20 s from the end of the upload at 9 s.
  await clock.advance(14_999)
  expect(proxy.log.filter(({ msg }) => msg === 'request')).toEqual([])
  await clock.advance(1)
  expect(await raw.until(/urn:breakwater:total_timeout/)).toMatch(/^HTTP\/1.1 504/)
  raw.socket.destroy()
})

test('timeout.idle: a client that stops sending gets a 408; the breaker stays closed', async (t) => {
  const { clock, upstream, proxy, port } = await withTimeouts(t, ['hang'], {
    ...NO_RETRY,
    timeout: { idle: '10s', total: '100s' },
  })
  const raw = openRaw(port)
  raw.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello')
  await upstream.begun(1)
  await clock.advance(10_000)
  expect(await raw.until(/urn:breakwater:client_stalled/)).toMatch(/^HTTP\/1.1 408/)
  await upstream.arrival(1)
  expect([...(await proxy.metrics())].filter(([name]) => name.startsWith(METRICS.breakerState.name))).toEqual([
    [metric('breakerState', { upstream: 'web', route: '*' }), 0],
  ])
  raw.socket.destroy()
})

test('timeout.connect: covers the connection and the TLS handshake', async (t) => {
  const clock = fakeClock()
  const silent = createServer()
  const port = await listening(silent)
  t.onTestFinished(() => void silent.close())
  const proxy = await startProxy(t, {
    clock,
    upstreams: {
      web: { url: `https://127.0.0.1:${port}`, listen: '127.0.0.1:0', ...NO_RETRY, timeout: { connect: '2s' } },
    },
  })
  const socket = new Promise<Socket>((resolve) => silent.once('connection', resolve))
  const answer = ask(proxy.own('web'))
  const closed = once(await socket, 'close')
  await clock.elapse(2_000)
  const { status, headers } = await answer
  expect([status, headers['proxy-status']]).toEqual([504, 'breakwater; error=connection_timeout'])
  await closed
})

test('timeout.total: stops applying once the head is relayed; idle bounds the body', async (t) => {
  let more = (_text: string) => {}
  let finish = () => {}
  const parts: Scene = (_request, response) => {
    response.writeHead(200).write('one')
    more = (text) => void response.write(text)
    finish = () => response.end('end')
  }
  const { clock, port } = await withTimeouts(t, [parts], { ...NO_RETRY, timeout: { total: '25s', idle: '61s' } })
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await raw.until(/one/)
  for (const part of ['two', 'three', 'four']) {
    await clock.advance(60_000)
    more(part)
    await raw.until(new RegExp(part))
  }
  await clock.advance(60_000)
  finish()
  expect(await raw.ended).toBe('end')
})

test('timeout.idle: a response body without progress is cut, never ended cleanly', async (t) => {
  const stuck: Scene = (_request, response) => void response.writeHead(200).write('one')
  const { clock, proxy, upstream, port } = await withTimeouts(t, [stuck], { ...NO_RETRY, timeout: { idle: '30s' } })
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until(/one/)
  await clock.elapse(30_000)
  expect(await raw.ended).toBe('reset')
  await upstream.gone(1)
  const line = await proxy.logged(({ reason }) => reason === 'idle_timeout')
  expect(line).toMatchObject({ status: 200, bytes_out: 3, limit: 'timeout.idle: 30s' })
})

test('x-request-timeout: shortens the total, in decimal seconds, and never lengthens it', async (t) => {
  const { clock, upstream, proxy, url } = await withTimeouts(t, ['hang'], {
    ...NO_RETRY,
    breaker: { consecutiveFailures: 100, failureRate: false },
    timeout: { attempt: '200s', total: '25s' },
  })
  const short = ask(url, { headers: { 'x-request-timeout': '1.5' } })
  await upstream.arrival(1)
  await clock.advance(1_499)
  await clock.advance(1)
  expect(problemOf(await short)).toMatchObject({ type: 'urn:breakwater:client_deadline', status: 504 })
  const long = ask(url, { headers: { 'x-request-timeout': '100' } })
  await upstream.arrival(2)
  await clock.advance(25_000)
  expect(problemOf(await long)).toMatchObject({ type: 'urn:breakwater:total_timeout' })
  for (const [i, value] of ['0', 'soon', '-1', '1e3'].entries()) {
    const ignored = ask(url, { headers: { 'x-request-timeout': value } })
    await upstream.arrival(3 + i)
    await clock.advance(25_000)
    expect(problemOf(await ignored)).toMatchObject({ type: 'urn:breakwater:total_timeout' })
  }
  expect(await proxy.sample('ignoredFields', { field: 'x-request-timeout' })).toBe(4)
  expect(proxy.log.filter(({ ignored }) => ignored !== undefined)).toHaveLength(4)
})

test('x-request-timeout: a short one does not open the breaker', async (t) => {
  const { clock, upstream, proxy, url } = await withTimeouts(t, ['hang'], {
    ...NO_RETRY,
    breaker: { consecutiveFailures: 1 },
  })
  const short = ask(url, { headers: { 'x-request-timeout': '1' } })
  await upstream.arrival(1)
  await clock.advance(1_000)
  expect((await short).status).toBe(504)
  const long = ask(url)
  await upstream.arrival(2)
  await clock.advance(60_000)
  expect((await long).status).toBe(504)
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(2)
})

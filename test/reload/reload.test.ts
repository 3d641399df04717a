import { once } from 'node:events'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { freePort, takenPort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

const AT = '127.0.0.1:0'
const FAILS = { status: 500, body: 'broken' }

/** A scene that answers after `release()`. */
function heldScene() {
  const gate = Promise.withResolvers<void>()
  const scene: Scene = (_, response) => void gate.promise.then(() => response.end('held'))
  return { scene, release: () => gate.resolve() }
}

async function configOf(controlUrl: string) {
  return JSON.parse((await ask(`${controlUrl}/v1/config`)).body.toString())
}

test('reload: a request under way keeps its settings, the next one has the new ones', async (t) => {
  const clock = fakeClock()
  const held = heldScene()
  const upstream = await scriptedUpstream(t, clock, [held.scene, 'hang'])
  const web = (total: string) => ({
    web: { url: upstream.origin, listen: AT, retry: { attempts: 1 }, timeout: { total } },
  })
  const proxy = await startProxy(t, { clock, upstreams: web('10m') })
  const first = ask(proxy.own('web'))
  await upstream.arrival(1)
  expect((await proxy.reload({ upstreams: web('2s') })).status).toBe(200)
  await clock.advance(60_000)
  const second = ask(proxy.own('web'))
  await upstream.arrival(2)
  await clock.elapse(2_000)
  expect(problemOf(await second).type).toBe('urn:breakwater:total_timeout')
  held.release()
  expect((await first).body.toString()).toBe('held')
})

test('reload: an open breaker stays open, also when its own settings change', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [FAILS, { body: 'well' }])
  const web = (more: object, breaker: object = {}) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      retry: { attempts: 1 },
      breaker: { ...LONG_OPEN, consecutiveFailures: 1, ...breaker },
      ...more,
    },
  })
  const proxy = await startProxy(t, { clock, random: () => 0, upstreams: web({}) })
  await ask(proxy.own('web'))
  await clock.advance(20_000)
  await proxy.reload({ upstreams: web({ concurrency: { max: 7 }, routes: [{ match: 'GET /x', idempotent: true }] }) })
  const refused = await ask(proxy.own('web'))
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '40'])
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(2)
  await proxy.reload({ upstreams: web({}, { openFor: '61s' }) })
  expect((await ask(proxy.own('web'))).headers['retry-after']).toBe('40')
  expect(proxy.log.filter(({ msg }) => msg === 'breaker window restarted')).toEqual([])
  // Its open time is capped by the new bound, and a window of another length begins anew.
  await proxy.reload({ upstreams: web({}, { openFor: '5s', openForMax: '10s', failureRate: { window: '20s' } }) })
  expect((await ask(proxy.own('web'))).headers['retry-after']).toBe('10')
  expect(await proxy.logged(({ msg }) => msg === 'breaker window restarted')).toMatchObject({ upstream: 'web' })
  await clock.advance(10_000)
  expect((await ask(proxy.own('web'))).body.toString()).toBe('well')
})

test('reload: breakers of routes and endpoints keep their state and counts', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [FAILS])
  const other = await scriptedUpstream(t, clock, [FAILS])
  const breaker = { ...LONG_OPEN, consecutiveFailures: 3 }
  const web = (urls: string[], max: number) => ({
    web: {
      urls,
      listen: AT,
      retry: { attempts: 1 },
      connections: { max },
      routes: [{ match: 'GET /jobs/{id}', breaker }],
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web([upstream.origin], 5) })
  for (let i = 0; i < 2; i += 1) await ask(`${proxy.own('web')}/jobs/1`)
  await proxy.reload({ upstreams: web([upstream.origin], 6) })
  await ask(`${proxy.own('web')}/jobs/1`)
  expect(problemOf(await ask(`${proxy.own('web')}/jobs/1`)).type).toBe('urn:breakwater:breaker_open')
  await proxy.reload({ upstreams: web([upstream.origin, other.origin], 6) })
  expect((await ask(`${proxy.own('web')}/jobs/1`)).body.toString()).toBe('broken')
  expect([upstream.arrivals.length, other.arrivals.length]).toEqual([3, 1])
})

test('reload: the latency of each endpoint is retained', async (t) => {
  const clock = fakeClock()
  const held = heldScene()
  const slow = await scriptedUpstream(t, clock, [held.scene, { body: 'slow' }])
  const fast = await scriptedUpstream(t, clock, [{ body: 'fast' }])
  const web = (max: number) => ({ web: { urls: [slow.origin, fast.origin], listen: AT, concurrency: { max } } })
  const proxy = await startProxy(t, { clock, upstreams: web(5), random: () => 0 })
  const first = ask(proxy.own('web'))
  await slow.begun(1)
  await clock.advance(1_000)
  held.release()
  await first
  await proxy.reload({ upstreams: web(6) })
  expect((await ask(proxy.own('web'))).body.toString()).toBe('fast')
})

test('reload: a back-off ends when the breaker opens after the reload', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503, body: 'first' }, FAILS])
  const web = (max: number) => ({
    web: { url: upstream.origin, listen: AT, breaker: { ...LONG_OPEN, consecutiveFailures: 2 }, concurrency: { max } },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(5) })
  const waiting = ask(proxy.own('web'))
  await clock.armed(2_000)
  await proxy.reload({ upstreams: web(6) })
  await ask(proxy.own('web'), { method: 'POST' })
  expect((await waiting).body.toString()).toBe('first')
})

test('reload: a spent retry budget is retained, also when its window changes', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503 }])
  const web = (window: string) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      breaker: { consecutiveFailures: 100, failureRate: false },
      retry: { attempts: 2, backoff: { initial: '1s', max: '1s' }, budget: { ratio: 0, minPerSecond: 0.1, window } },
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web('10s') })
  const left = async () => await proxy.sample('retryBudget', { upstream: 'web' })
  await clock.advance(600_000)
  expect(await left()).toBe(1)
  const answer = ask(proxy.own('web'))
  await clock.elapse(1_000)
  await answer
  expect(await left()).toBe(0)
  await proxy.reload({ upstreams: web('10s') })
  expect(await left()).toBe(0)
  await proxy.reload({ upstreams: web('20s') })
  expect(await left()).toBe(1)
  await clock.advance(20_000)
  expect(await left()).toBe(2)
})

test('reload: a rate limit keeps its window, and waiting requests get the new rate', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const web = (requests: number) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      rate: { requests, per: '60s', burst: requests, queueTimeout: '10m' },
      timeout: { total: '10m' },
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(2) })
  // A quiet window, after which there is a burst.
  await clock.advance(60_000)
  for (let i = 0; i < 2; i += 1) {
    await ask(proxy.own('web'))
    await clock.advance(10_000)
  }
  await proxy.reload({ upstreams: web(2) })
  const third = ask(proxy.own('web'))
  await clock.armed(40_000)
  await proxy.reload({ upstreams: web(3) })
  expect((await third).status).toBe(200)
  const fourth = ask(proxy.own('web'))
  await clock.armed(40_000)
  await proxy.reload({ upstreams: web(1) })
  await clock.elapse(60_000)
  expect((await fourth).status).toBe(200)
  expect(upstream.arrivals.map(({ at }) => at)).toEqual([60_000, 70_000, 80_000, 140_000])
})

test('reload: a waiting request is refused when the lowered rate makes its wait too long', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const web = (per: string) => ({
    web: { url: upstream.origin, listen: AT, rate: { requests: 1, per, queueTimeout: '50s' } },
  })
  const proxy = await startProxy(t, { clock, upstreams: web('10s') })
  await ask(proxy.own('web'))
  const waiting = ask(proxy.own('web'))
  await clock.armed(10_000)
  await proxy.reload({ upstreams: web('60s') })
  const answer = await waiting
  expect([problemOf(answer).type, answer.headers['retry-after']]).toEqual(['urn:breakwater:rate', '60'])
})

test('reload: concurrency counts requests under way; a higher max admits at once', async (t) => {
  const clock = fakeClock()
  const [a, b] = [heldScene(), heldScene()]
  const upstream = await scriptedUpstream(t, clock, [a.scene, b.scene, { body: 'third' }])
  const web = (concurrency: number, connections: number) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      // Not 5 s, so that a timer of 5 s is that of the queue.
      timeout: { connect: '4s' },
      concurrency: { max: concurrency },
      connections: { max: connections },
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(1, 2) })
  const first = ask(proxy.own('web'))
  await upstream.begun(1)
  const second = ask(proxy.own('web'))
  await clock.armed(5_000)
  await proxy.reload({ upstreams: web(2, 2) })
  await upstream.begun(2)
  await proxy.reload({ upstreams: web(5, 1) })
  const gauges = await proxy.metrics()
  expect(gauges.get(metric('inFlight', { upstream: 'web' }))).toBe(2)
  const third = ask(proxy.own('web'))
  await clock.armed(5_000)
  a.release()
  expect((await first).body.toString()).toBe('held')
  expect(upstream.arrivals.length).toBe(2)
  b.release()
  expect((await third).body.toString()).toBe('third')
  await second
})

test('reload: connections are kept; with new connection settings they close after their last request', async (t) => {
  const clock = fakeClock()
  const held = heldScene()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'a' }, { body: 'b' }, held.scene, { body: 'c' }])
  const web = (more: object) => ({ web: { url: upstream.origin, listen: AT, ...more } })
  const proxy = await startProxy(t, { clock, upstreams: web({}) })
  await ask(proxy.own('web'))
  await proxy.reload({ upstreams: web({ timeout: { attempt: '3s' } }) })
  await ask(proxy.own('web'))
  expect(upstream.connections()).toBe(1)
  const under = ask(proxy.own('web'))
  await upstream.begun(3)
  await proxy.reload({ upstreams: web({ connections: { idle: '3s' } }) })
  await ask(proxy.own('web'))
  expect([upstream.connections(), upstream.openSockets()]).toEqual([2, 2])
  held.release()
  expect((await under).body.toString()).toBe('held')
  await upstream.gone(1)
  expect(upstream.openSockets()).toBe(1)
})

test('reload: idle connections to a removed upstream are closed', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const other = await scriptedUpstream(t, clock, [{ body: 'other' }])
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: upstream.origin }, more: { url: other.origin } },
  })
  await ask(`${proxy.url}/web/`)
  await proxy.reload({ upstreams: { more: { url: other.origin } } })
  await upstream.gone(1)
  expect((await ask(`${proxy.url}/web/`)).status).toBe(404)
  expect([...(await proxy.metrics()).keys()].filter((key) => key.startsWith(`${METRICS.connections.name}{`))).toEqual([
    metric('connections', { upstream: 'more' }),
  ])
})

test('reload: a failed job that was counted is not counted again', async (t) => {
  const clock = fakeClock()
  const body = '{"status":"failed"}'
  const upstream = await scriptedUpstream(t, clock, [{ headers: { 'content-type': 'application/json' }, body }])
  const web = (max: number) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      concurrency: { max },
      routes: [{ match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } }],
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(5) })
  await ask(`${proxy.own('web')}/jobs/1`)
  await proxy.reload({ upstreams: web(6) })
  await ask(`${proxy.own('web')}/jobs/1`)
  expect(await proxy.sample('jobsSeen', { upstream: 'web', route: 'GET /jobs/{id}', outcome: 'failed' })).toBe(1)
})

test('reload: a faulty file changes nothing; response, log, metrics and /v1/config report it', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const upstreams = { web: { url: upstream.origin, listen: AT } }
  const proxy = await startProxy(t, { clock, upstreams })
  const { version } = await configOf(proxy.controlUrl)
  expect(version).toMatch(/^[0-9a-f]{12}$/)
  const refused = await proxy.reload({ upstreams: { web: { ...upstreams.web, retrys: 3 } } })
  const fault = { line: 20, column: 7, path: 'upstreams.web.retrys', message: 'unknown key, did you mean "retry"?' }
  expect(refused.status).toBe(422)
  expect(problemOf(refused).faults).toEqual([fault])
  expect((await ask(proxy.own('web'))).body.toString()).toBe('ok')
  expect(await configOf(proxy.controlUrl)).toMatchObject({
    version,
    last_reload: { trigger: 'api', outcome: 'refused', faults: [fault] },
  })
  expect(proxy.log.find(({ msg }) => msg === 'configuration refused')).toMatchObject({
    level: 'error',
    trigger: 'api',
    faults: ['20:7: upstreams.web.retrys: unknown key, did you mean "retry"?'],
  })
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('reloadSuccessful'))).toBe(0)
  expect(metrics.get(metric('reloads', { trigger: 'api', outcome: 'refused' }))).toBe(1)
  expect(metrics.get(metric('configInfo', { version }))).toBe(1)
  await clock.advance(5_000)
  expect((await proxy.reload({ upstreams })).status).toBe(200)
  const after = await proxy.metrics()
  expect(after.get(metric('reloadSuccessful'))).toBe(1)
  expect(after.get(metric('reloadedAt'))).toBe(Date.UTC(2026, 0, 1) / 1000 + 5)
})

test('reload: one log line names the changed upstreams and keys', async (t) => {
  const web = { url: 'http://127.0.0.1:9' }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { a: web, b: web, c: web } })
  const before = (await configOf(proxy.controlUrl)).version
  await proxy.reload({
    upstreams: { b: { ...web, rate: { requests: 1, per: '1s' } }, c: web, d: web },
    top: {
      timeouts: { total: {} },
      maxHead: '16KiB',
      maxConnections: 9,
      bodies: { disk: '1MiB' },
      shutdown: '9s',
      notify: { timeout: '1s' },
    },
  })
  const { version } = await configOf(proxy.controlUrl)
  expect(version).not.toBe(before)
  expect(proxy.log.find(({ msg }) => msg === 'configuration reloaded')).toMatchObject({
    trigger: 'api',
    version,
    added: ['d'],
    removed: ['a'],
    changed: ['b'],
    keys: ['bodies', 'shutdown', 'maxConnections', 'maxHead', 'notify', 'timeouts'],
  })
  const versions = [...(await proxy.metrics()).keys()].filter((key) => key.startsWith(METRICS.configInfo.name))
  expect(versions).toEqual([metric('configInfo', { version: String(version) })])
})

test('reload: a listener that cannot be opened refuses the whole reload', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const port = await freePort()
  const taken = await takenPort(t)
  const web = { url: upstream.origin, listen: AT }
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  const refused = await proxy.reload({
    upstreams: {
      web: { ...web, timeout: { total: '1s' } },
      a: { url: upstream.origin, listen: `127.0.0.1:${port}` },
      b: { url: upstream.origin, listen: `127.0.0.1:${taken}` },
    },
  })
  expect(problemOf(refused).faults).toEqual([
    { path: '', message: `upstreams.b.listen 127.0.0.1:${taken}: the port is in use` },
  ])
  await expect(ask(`http://127.0.0.1:${port}/`)).rejects.toThrow('ECONNREFUSED')
  expect((await configOf(proxy.controlUrl)).config.upstreams).toHaveLength(1)
  expect((await ask(proxy.own('web'))).body.toString()).toBe('ok')
})

test('reload: a listener that moves answers the requests of its open connections, then closes them', async (t) => {
  const clock = fakeClock()
  const held = heldScene()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'first' }, held.scene, { body: 'later' }])
  const [from, to] = [await freePort(), await freePort()]
  const web = (port: number) => ({ web: { url: upstream.origin, listen: `127.0.0.1:${port}` } })
  const proxy = await startProxy(t, { clock, upstreams: web(from) })
  const idle = openRaw(from)
  idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.until(/first/)
  const underWay = ask(`http://127.0.0.1:${from}/`)
  await upstream.begun(2)
  await proxy.reload({ upstreams: web(to) })
  await expect(ask(`http://127.0.0.1:${from}/`)).rejects.toThrow('ECONNREFUSED')
  expect((await ask(`http://127.0.0.1:${to}/`)).body.toString()).toBe('later')
  idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await idle.until(/later/)).toMatch(/connection: close/i)
  expect(await idle.ended).toBe('end')
  held.release()
  const last = await underWay
  expect([last.body.toString(), last.headers.connection]).toEqual(['held', 'close'])
})

test('reload: when another upstream takes over an address, the client connections stay open', async (t) => {
  const clock = fakeClock()
  const one = await scriptedUpstream(t, clock, [{ body: 'one' }])
  const two = await scriptedUpstream(t, clock, [{ body: 'two' }])
  const port = await freePort()
  const listen = `127.0.0.1:${port}`
  const proxy = await startProxy(t, { clock, upstreams: { old: { url: one.origin, listen } } })
  const client = openRaw(port)
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until(/one/)
  await proxy.reload({ upstreams: { renamed: { url: two.origin, listen } } })
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect(await client.until(/two/)).not.toMatch(/connection: close/i)
  client.socket.destroy()
})

test('drain: waits for requests on a listener that a reload removed', async (t) => {
  const clock = fakeClock()
  const held = heldScene()
  const upstream = await scriptedUpstream(t, clock, [held.scene])
  const web = { url: upstream.origin }
  const proxy = await startProxy(t, { clock, upstreams: { web: { ...web, listen: AT } } })
  const underWay = ask(proxy.own('web'))
  await upstream.begun(1)
  await proxy.reload({ upstreams: { web } })
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  expect(problemOf(await proxy.reload({})).faults).toEqual([{ path: '', message: 'the sidecar is draining' }])
  held.release()
  expect((await underWay).body.toString()).toBe('held')
  await drained
})

async function webSocketUpstream(t: Scope) {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
  await once(sockets, 'listening')
  t.onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  })
  const address = sockets.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

test('reload: a WebSocket stays open over changed settings, a removed listener and a removed upstream', async (t) => {
  const url = await webSocketUpstream(t)
  const ws = { url, listen: AT }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { ws, other: { url: 'http://127.0.0.1:9' } } })
  const client = new WebSocket(proxy.own('ws').replace('http', 'ws'))
  await once(client, 'open')
  const echo = async (text: string) => {
    client.send(text)
    const [data] = await once(client, 'message')
    return String(data)
  }
  for (const upstreams of [
    { ws: { ...ws, connections: { idle: '1s' } }, other: { url: 'http://127.0.0.1:9' } },
    { ws: { url }, other: { url: 'http://127.0.0.1:9' } },
    { other: { url: 'http://127.0.0.1:9' } },
  ]) {
    expect((await proxy.reload({ upstreams })).status).toBe(200)
    expect(await echo('still there')).toBe('echo still there')
  }
  client.terminate()
})

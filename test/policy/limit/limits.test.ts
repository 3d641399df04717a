import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../../support/client.ts'
import { metric } from '../../support/metric.ts'
import type { Scene, Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const withLimits = (t: Scope, scenes: readonly Scene[], settings: object) =>
  withSidecar(t, scenes, { web: { retry: { attempts: 1 }, ...settings } })

/** A scene that answers when its gate is opened. */
function gated() {
  const gates: (() => void)[] = []
  const scene: Scene = (_request, response) => void gates.push(() => response.end('ok'))
  return { gates, scene }
}

test('concurrency: max requests are in flight, queue more wait, the next one is shed', async (t) => {
  const { gates, scene } = gated()
  const { clock, upstream, url } = await withLimits(t, [scene], {
    concurrency: { max: 2, queue: 1, queueTimeout: '7s' },
  })
  const answers = [ask(url), ask(url)]
  await upstream.arrival(2)
  const waiting = ask(url)
  await clock.armed(7_000)
  const shed = await ask(url)
  expect([shed.status, shed.headers['retry-after'], shed.headers['proxy-status']]).toEqual([
    503,
    '1',
    'breakwater; error=connection_limit_reached',
  ])
  expect(problemOf(shed)).toMatchObject({ type: 'urn:breakwater:queue_full' })
  expect(upstream.arrivals).toHaveLength(2)
  gates[0]?.()
  await upstream.arrival(3)
  gates[1]?.()
  gates[2]?.()
  expect((await Promise.all([...answers, waiting])).map(({ status }) => status)).toEqual([200, 200, 200])
})

test('concurrency: queueTimeout ends the wait in the queue', async (t) => {
  const { gates, scene } = gated()
  const { clock, upstream, proxy, url } = await withLimits(t, [scene], {
    concurrency: { max: 1, queue: 9, queueTimeout: '3s' },
    breaker: { consecutiveFailures: 1 },
  })
  const inside = ask(url)
  await upstream.arrival(1)
  const waiting = ask(url)
  await clock.elapse(3_000)
  expect(problemOf(await waiting)).toMatchObject({
    type: 'urn:breakwater:queue_timeout',
    status: 503,
    retry_after_s: 1,
  })
  expect(await proxy.logged(({ reason }) => reason === 'queue_timeout')).toMatchObject({ queue_ms: 3_000, attempts: 0 })
  gates[0]?.()
  expect((await inside).status).toBe(200)
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(0)
})

test('concurrency: a slot is held until the end of the body', async (t) => {
  let finish = () => {}
  const slowBody: Scene = (_request, response) => {
    response.writeHead(200).write('part')
    finish = () => response.end('rest')
  }
  const { clock, upstream, port, url } = await withLimits(t, [slowBody, { body: 'next' }], {
    concurrency: { max: 1, queue: 9, queueTimeout: '7s' },
  })
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until(/part/)
  const next = ask(url)
  await clock.armed(7_000)
  expect(upstream.arrivals).toHaveLength(1)
  finish()
  expect((await next).body.toString()).toBe('next')
  raw.socket.destroy()
})

test('concurrency: a client that leaves the queue makes room, and its request is not sent', async (t) => {
  const { gates, scene } = gated()
  const { clock, upstream, proxy, url, port } = await withLimits(t, [scene], {
    concurrency: { max: 1, queue: 1, queueTimeout: '7s' },
  })
  const inside = ask(url)
  await upstream.arrival(1)
  const leaving = openRaw(port)
  leaving.send('GET /left HTTP/1.1\r\nHost: x\r\n\r\n')
  await clock.armed(7_000)
  // A client that ends its direction at once with its request may only have half-closed.
  await proxy.metrics()
  leaving.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(clock.pending()).not.toContain(7_000)
  const second = ask(`${url}/second`)
  await clock.armed(7_000)
  gates[0]?.()
  await inside
  await upstream.arrival(2)
  gates[1]?.()
  await second
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/', '/second'])
})

test('connections.max: bounds upstream connections for any number of requests', async (t) => {
  const { upstream, proxy, url } = await withLimits(t, [{ body: 'ok' }], {
    concurrency: { max: 64 },
    connections: { max: 3, idle: '4s' },
  })
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(url)))
  expect(answers.every(({ status }) => status === 200)).toBe(true)
  expect(upstream.connections()).toBeLessThanOrEqual(3)
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('queued', { upstream: 'web' }))).toBe(0)
  expect(metrics.get(metric('inFlight', { upstream: 'web' }))).toBe(0)
})

test('concurrency: no request queues for an upstream whose breaker is open', async (t) => {
  const { clock, upstream, url } = await withLimits(t, ['hang', { status: 500 }], {
    concurrency: { max: 2, queue: 9, queueTimeout: '7s' },
    connections: { max: 2, idle: '4s' },
    breaker: { consecutiveFailures: 1, patience: '0ms' },
    timeout: { total: '12s' },
  })
  const hung = [ask(url)]
  await upstream.arrival(1)
  expect((await ask(url)).status).toBe(500)
  const rejected = await ask(url)
  expect(problemOf(rejected)).toMatchObject({ type: 'urn:breakwater:breaker_open' })
  await clock.advance(12_000)
  expect((await Promise.all(hung))[0]?.status).toBe(504)
})

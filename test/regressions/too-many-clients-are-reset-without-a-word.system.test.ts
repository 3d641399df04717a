/**
 * Without free file descriptors the sidecar reset clients without a log line or a count, reported its own failure to
 * connect as an unreachable upstream, opened the breaker for it, and did not answer its probes.
 */

import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { connectionsWithin } from '../../src/proxy/listener/descriptors.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const REQUEST = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

test('listener: a client over maxConnections gets a 503 that says so; a reload raises the limit', async (t) => {
  const { proxy, url, port } = await withSidecar(t, [{ body: 'served' }], { top: { maxConnections: 2 } })
  const [first, second] = [openRaw(port), openRaw(port)]
  for (const client of [first, second]) {
    client.send(REQUEST)
    await client.until(/served/)
  }
  const third = openRaw(port)
  third.send(REQUEST)
  const answer = await third.until(/\}$/)
  expect(answer).toMatch(
    /^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*urn:breakwater:local_limit[\s\S]*maxConnections/i,
  )
  expect(await third.ended).toBe('end')
  expect(await proxy.logged(({ msg }) => msg === 'connection turned away')).toMatchObject({ limit: 'maxConnections' })
  expect(await proxy.logged(({ reason }) => reason === 'local_limit')).toMatchObject({ status: 503, attempts: 0 })
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('turnedAway', { limit: 'maxConnections' }))).toBe(1)
  // A reload raises the limit.
  await proxy.reload({ top: { maxConnections: 3 } })
  expect((await ask(url)).body.toString()).toBe('served')
  first.socket.destroy()
  second.socket.destroy()
})

test('listener: a client over the limit that sends nothing is cut after five seconds', async (t) => {
  const clock = fakeClock()
  const proxy = await startProxy(t, {
    clock,
    top: { maxConnections: 1 },
    upstreams: { web: { url: 'http://127.0.0.1:9', listen: '127.0.0.1:0' } },
  })
  const port = Number(new URL(proxy.own('web')).port)
  const first = openRaw(port)
  first.send('GET')
  const silent = openRaw(port)
  await proxy.logged(({ msg }) => msg === 'connection turned away')
  await clock.elapse(5_000)
  expect(await silent.ended).toMatch(/end|reset/)
  first.socket.destroy()
})

test('descriptors: a quarter of the free ones, at most 256, is reserved; a client needs two', () => {
  expect([connectionsWithin(undefined, 30), connectionsWithin(1024, 24), connectionsWithin(64, 32)]).toEqual([
    Number.POSITIVE_INFINITY,
    375,
    12,
  ])
  expect([connectionsWithin(1_000_000, 40), connectionsWithin(20, 30)]).toEqual([499_852, 1])
})

test.runIf(process.platform === 'linux')(
  'process: with 72 descriptors and 80 clients /livez answers, and the breaker stays closed',
  async (t) => {
    const held: (() => void)[] = []
    const upstream = await scriptedUpstream(t, systemClock, [
      (_, response) => void held.push(() => response.end('served')),
    ])
    const config = {
      listen: '127.0.0.1:0',
      control: { listen: '127.0.0.1:0' },
      checkpoints: { store: 'memory:' },
      defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 1 } },
      upstreams: { web: { url: upstream.origin, connections: { max: 100 }, concurrency: { max: 100 } } },
    }
    const args = ['run', '--config', configFile(t, JSON.stringify(config))]
    const command = breakwater(t, args, {}, ['sh', '-c', 'ulimit -n 72; exec "$@"', 'sh'])
    const [url, control] = [await listensAt(command, 'listen'), await listensAt(command, 'control.listen')]
    await command.until(/descriptor limit bounds connections of clients/)
    const outcomes = Array.from({ length: 80 }, () =>
      ask(`${url}/web/`).then(
        (answer) => (answer.status === 200 ? 'served' : String(problemOf(answer).type)),
        () => 'reset',
      ),
    )
    await upstream.begun(5)
    expect((await ask(`${control}/livez`)).status).toBe(200)
    await command.until(/connection turned away/)
    // Requests that reach the upstream from here on are answered as they come.
    const serving = setInterval(() => {
      for (const answer of held.splice(0)) answer()
    }, 20)
    t.onTestFinished(() => clearInterval(serving))
    const all = new Set(await Promise.all(outcomes))
    expect([...all].filter((one) => !['served', 'urn:breakwater:local_limit', 'reset'].includes(one))).toEqual([])
    expect(all.has('served') && all.has('urn:breakwater:local_limit')).toBe(true)
    const metrics = (await ask(`${control}/metrics`)).body.toString()
    expect(metrics).toMatch(/breakwater_breaker_state\{upstream="web",route="\*"\} 0/)
    expect(metrics).toMatch(/breakwater_connections_turned_away_total\{limit="descriptors"\} [1-9]/)
  },
)

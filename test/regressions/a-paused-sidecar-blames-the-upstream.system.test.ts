/**
 * A sidecar that had been paused (a frozen container, no CPU time) fired its overdue timers before it read its sockets:
 * answers that had arrived were lost, and the breaker opened for timeouts that only the pause had caused.
 */

import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { systemClock } from '../../src/clock.ts'
import { metric } from '../support/metric.ts'
import { withSidecar } from '../support/sidecar.ts'

const BREAKER = { consecutiveFailures: 1, failureRate: false }

/** A scene that answers once `release` is called. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const scene: Scene = (_, response) => void promise.then(() => response.end('in time'))
  return { scene, release: resolve }
}

async function withBreaker(t: Scope, scene: Scene, defaults: object = {}, route: object = {}) {
  const fixture = await withSidecar(t, [scene], {
    defaults: {
      retry: { attempts: 1 },
      timeout: { attempt: '4s', total: '5s', idle: '3s' },
      breaker: BREAKER,
      ...defaults,
    },
    web: { routes: [{ match: 'GET /r', ...route }] },
    path: '/r',
  })
  const state = async () => await fixture.proxy.sample('breakerState', { upstream: 'web', route: '*' })
  return { ...fixture, state }
}

test.for([
  ['a plain request', {}],
  ['a collapsed request', { collapse: true }],
  ['a held poll', { hold: { json: '/status', in: ['running'], upTo: '4s', every: '1s' } }],
] as const)('pause: an answer that arrived during the pause is relayed to %s', async ([, route], t) => {
  const { scene, release } = held()
  const { clock, upstream, url, state } = await withBreaker(t, scene, {}, route)
  const answer = ask(url)
  await upstream.arrival(1)
  release()
  await Promise.resolve()
  await clock.stall(7_000)
  expect((await answer).body.toString()).toBe('in time')
  expect(await state()).toBe(0)
})

test('pause: a timeout that passes during the pause gives a 504, and the breaker stays closed', async (t) => {
  const { clock, upstream, proxy, url, state } = await withBreaker(t, 'hang')
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.stall(7_000)
  expect(problemOf(await answer)).toMatchObject({ status: 504, type: 'urn:breakwater:total_timeout' })
  expect(await state()).toBe(0)
  expect(await proxy.logged(({ msg }) => msg === 'loop stalled')).toMatchObject({ ms: 7_000 })
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('stalls'))).toBe(1)
  expect(metrics.get(metric('stalledSeconds'))).toBe(7)
})

test('pause: a body without progress during the pause is cut, and the breaker stays closed', async (t) => {
  const { clock, proxy, state, port } = await withBreaker(t, (_, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('half')
  })
  const client = openRaw(port)
  client.send('GET /web/r HTTP/1.1\r\nhost: x\r\n\r\n')
  await client.until(/half/)
  await clock.stall(9_000)
  expect(await client.ended).toBe('reset')
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'idle_timeout' })
  expect(await state()).toBe(0)
})

test('pause: the time of the pause does not count towards slowCalls', async (t) => {
  const slowCalls = { slowerThan: '2s', threshold: 0.5, window: '60s', minimumRequests: 1 }
  const { scene, release } = held()
  const { clock, upstream, url, state } = await withBreaker(t, scene, { breaker: { ...BREAKER, slowCalls } })
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.stall(3_000)
  expect(await state()).toBe(0)
  release()
  expect((await answer).status).toBe(200)
  expect(await state()).toBe(0)
})

test('pause: a process that was stopped relays what has arrived meanwhile', async (t) => {
  const answers: (() => void)[] = []
  const scene: Scene = (_, response) => void answers.push(() => response.end('in time'))
  const upstream = await scriptedUpstream(t, systemClock, [scene])
  const config = {
    listen: '127.0.0.1:0',
    control: { listen: '127.0.0.1:0' },
    checkpoints: { store: 'memory:' },
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '900ms', total: '900ms' }, breaker: BREAKER },
    upstreams: { web: { url: upstream.origin } },
  }
  const command = breakwater(t, ['run', '--config', configFile(t, JSON.stringify(config))])
  const { child } = command
  const url = await listensAt(command, 'listen')
  const asked = Array.from({ length: 4 }, () => ask(`${url}/web/r`))
  await upstream.arrival(4)
  child.kill('SIGSTOP')
  for (const answer of answers) answer()
  // In real time, as there is no fake clock in another process: the stop must last longer than the timeout.
  await new Promise<void>((resolve) => systemClock.after(1_500, resolve))
  child.kill('SIGCONT')
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
})

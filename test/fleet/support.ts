import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../src/clock.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** An upstream that notes the monotonic ms of each call. */
export async function notingUpstream(t: Scope): Promise<{ readonly url: string; readonly at: number[] }> {
  const at: number[] = []
  const server = createServer((_request, response) => {
    at.push(systemClock.now())
    response.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, at }
}

/** A clock that is wrong: the wall clock by an hour, the monotonic one by its origin and a thousandth of its pace. */
const skewed = (by: number): Clock => ({
  ...systemClock,
  now: () => systemClock.now() * (1 + by / 1_000) + by * 1e6,
  wallNow: () => systemClock.wallNow() + by * 3_600_000,
})

/** Starts sidecars that share one Redis, each with a clock that is wrong in its own way. */
export async function startFleet(t: Scope, port: number, count: number, web: object, top: object = {}) {
  const fleet = { redis: `redis://127.0.0.1:${port}/0`, name: 'test', pods: count }
  const pods = []
  for (let i = 0; i < count; i += 1) {
    const proxy = await startProxy(t, {
      clock: skewed(i),
      newId: () => `pod-${i}`,
      upstreams: { web: { listen: '127.0.0.1:0', retry: { attempts: 1 }, ...web } },
      top: { fleet, ...top },
    })
    pods.push({ proxy, url: proxy.own('web') })
  }
  return pods
}

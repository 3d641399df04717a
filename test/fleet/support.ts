import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../src/clock.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

export type Arrivals = {
  readonly url: string
  /** Monotonic ms of each request's arrival. */
  readonly at: number[]
  inFlight: number
  most: number
}

/** An upstream that notes when it was called. @param answerMs time to each answer. */
export async function notingUpstream(t: Scope, answerMs = 0, status = () => 200): Promise<Arrivals> {
  const arrivals = { url: '', at: [] as number[], inFlight: 0, most: 0 }
  const server = createServer((_request, response) => {
    arrivals.at.push(performance.now())
    arrivals.inFlight += 1
    arrivals.most = Math.max(arrivals.most, arrivals.inFlight)
    response.on('close', () => {
      arrivals.inFlight -= 1
    })
    systemClock.after(answerMs, () => {
      response.statusCode = status()
      response.end('ok')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  arrivals.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return arrivals
}

/** Starts sidecars that share one Redis, on the system's clock. */
export async function startFleet(
  t: Scope,
  port: number,
  count: number,
  web: object,
  top: object = {},
  clocks: readonly Clock[] = [],
) {
  const fleet = { redis: `redis://127.0.0.1:${port}/0`, name: 'test', pods: count }
  const pods = []
  for (let i = 0; i < count; i += 1) {
    const clock = clocks[i] ?? systemClock
    const proxy = await startProxy(t, {
      clock,
      newId: () => `pod-${i}-${Math.random().toString(36).slice(2)}`,
      random: Math.random,
      upstreams: { web: { listen: '127.0.0.1:0', retry: { attempts: 1 }, ...web } },
      top: { fleet, ...top },
    })
    pods.push({ proxy, url: proxy.own('web') })
  }
  return pods
}

/** Largest number of calls within any window of that length. */
export function mostWithin(times: readonly number[], perMs: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  let [most, from] = [0, 0]
  for (const [i, at] of sorted.entries()) {
    while ((sorted[from] ?? at) <= at - perMs) from += 1
    most = Math.max(most, i - from + 1)
  }
  return most
}

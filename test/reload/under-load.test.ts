import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

const RELOADS = 40
const CLIENTS = 8
const AT = '127.0.0.1:0'

test('reload: under load no request fails over 40 reloads, and removed upstreams leave no state', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const broken = await scriptedUpstream(t, clock, [{ status: 500 }])
  const upstreamsOf = (n: number) => ({
    web: { url: upstream.origin, listen: AT, connections: { max: 16 + (n % 3), idle: `${4 + (n % 2)}s` } },
    broken: { url: broken.origin, listen: AT, retry: { attempts: 1 }, breaker: { consecutiveFailures: 1 } },
    [`new-${n}`]: { url: upstream.origin, ...(n % 2 === 0 ? { listen: AT } : {}) },
  })
  const proxy = await startProxy(t, { clock, upstreams: upstreamsOf(0), top: { log: { level: 'error' } } })
  await ask(proxy.own('broken'))
  const [web, shared] = [proxy.own('web'), proxy.url]
  let isOver = false
  const statuses = new Map<number, number>()
  const client = async (url: string) => {
    while (!isOver) {
      const answer = await fetch(url)
      await answer.text()
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i % 2 === 0 ? `${web}/a` : `${shared}/web/b`))
  for (let n = 1; n <= RELOADS; n += 1) {
    const upstreams = n % 2 === 0 ? upstreamsOf(n) : { ...upstreamsOf(n), odd: { uurl: 'x' } }
    expect((await proxy.reload({ upstreams })).status).toBe(n % 2 === 0 ? 200 : 422)
    if (n % 2 === 0) expect((await ask(`${shared}/new-${n}/`)).status).toBe(200)
  }
  isOver = true
  await Promise.all(clients)
  expect([...statuses.keys()]).toEqual([200])
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('breakerState', { upstream: 'broken', route: '*' }))).toBe(2)
  expect(broken.arrivals).toHaveLength(1)
  const open = ['web', `new-${RELOADS}`].map((name) => metrics.get(metric('connections', { upstream: name })) ?? 0)
  expect(upstream.openSockets()).toBe((open[0] ?? 0) + (open[1] ?? 0))
  const named = new Set([...metrics.keys()].flatMap((key) => /upstream="(new-\d+)"/.exec(key)?.[1] ?? []))
  expect([...named]).toEqual([`new-${RELOADS}`])
})

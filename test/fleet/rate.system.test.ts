import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { hasRedis, startCluster, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { notingUpstream, startFleet } from './support.ts'
import { mostWithin } from './virtual-fleet.ts'

const RATE = { requests: 30, per: '2s', burst: 6, queueTimeout: '4s' }

/** Sends requests to each url from so many clients, one after the other, for so long. */
async function flood(urls: readonly string[], clients: number, ms: number) {
  const end = performance.now() + ms
  const outcomes: number[] = []
  const client = async (url: string) => {
    while (performance.now() < end) outcomes.push((await ask(url)).status)
  }
  await Promise.all(urls.flatMap((url) => Array.from({ length: clients }, () => client(url))))
  return outcomes
}

/** Arrivals differ from the turns by the way to the upstream, which takes longer on a busy machine. */
const WAY_MS = 300

test.runIf(hasRedis)(
  'fleet: three sidecars share one window over a real Redis, whatever their clocks say',
  async (t) => {
    const redis = await startRedis(t)
    const upstream = await notingUpstream(t)
    const pods = await startFleet(t, redis.port, 3, { url: upstream.url, rate: RATE })
    await until(async () => (await pods[0]?.proxy.sample('fleetPods')) === 3)
    const outcomes = await flood(
      pods.map(({ url }) => url),
      3,
      5_000,
    )
    expect(new Set(outcomes)).toEqual(new Set([200]))
    expect(
      mostWithin(
        upstream.at.map((at) => ({ at })),
        2_000 - WAY_MS,
      ),
    ).toBeLessThanOrEqual(30)
    const told = JSON.parse((await ask(`${pods[0]?.proxy.controlUrl}/v1/fleet`)).body.toString())
    expect(told).toMatchObject({ name: 'test', up: true, pods: 3, limits: [{ limit: 'rate.web', max: 30, per_s: 2 }] })
    expect(told.members.filter(({ self }: { self: boolean }) => self)).toHaveLength(1)
    expect(told.members).toHaveLength(3)
  },
  30_000,
)

test.runIf(hasRedis)(
  'fleet: a Cluster keeps the keys of each limit together',
  async (t) => {
    const [first] = await startCluster(t)
    const upstream = await notingUpstream(t)
    const fleet = { redis: `redis+cluster://127.0.0.1:${first?.port}`, name: 'test' }
    const [pod] = await startFleet(t, 0, 1, { url: upstream.url, rate: RATE, concurrency: { fleet: 3 } }, { fleet })
    await until(async () => (await pod?.proxy.sample('fleetPods')) === 1)
    expect((await ask(pod?.url ?? '')).status).toBe(200)
    const told = JSON.parse((await ask(`${pod?.proxy.controlUrl}/v1/fleet`)).body.toString())
    expect(told).toMatchObject({
      up: true,
      limits: [{ limit: 'concurrency.web', max: 3, held: 1 }, { limit: 'rate.web' }],
    })
    expect(await pod?.proxy.sample('fleetAlone', { limit: 'upstreams.web.rate' })).toBeUndefined()
  },
  30_000,
)

test.runIf(hasRedis)(
  'fleet: a paused Redis holds nobody up; its share is told, and so is its return',
  async (t) => {
    const redis = await startRedis(t)
    const upstream = await notingUpstream(t)
    const pods = await startFleet(t, redis.port, 2, {
      url: upstream.url,
      rate: { ...RATE, requests: 200, burst: 100 },
      concurrency: { fleet: 8 },
    })
    const [pod] = pods
    await until(async () => (await pod?.proxy.sample('fleetPods')) === 2)
    expect((await ask(pod?.url ?? '')).status).toBe(200)
    redis.process.kill('SIGSTOP')
    const outcomes = await flood(
      pods.map(({ url }) => url),
      2,
      1_500,
    )
    expect(new Set(outcomes)).toEqual(new Set([200]))
    const share = await pod?.proxy.logged(
      ({ msg, limit }) => msg === 'limit of the fleet: own share' && limit === 'upstreams.web.rate',
    )
    expect(share).toMatchObject({ share: 100, pods: 2 })
    expect(JSON.parse((await ask(`${pod?.proxy.controlUrl}/v1/fleet`)).body.toString())).toMatchObject({
      up: false,
      pods: 2,
    })
    redis.process.kill('SIGCONT')
    await pod?.proxy.logged(({ msg, limit }) => msg === 'limit of the fleet: shared' && limit === 'upstreams.web.rate')
    expect((await ask(pod?.url ?? '')).status).toBe(200)
  },
  30_000,
)

/** What a fleet's Redis may do while sidecars use it: a master that dies, behind sentinels and in a Cluster; TLS with client certificates. */

import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import type { Sidecar } from '../support/proxy.ts'
import { hasRedis, isMaster, startCluster, startGuardedMaster, startRedis, startReplicaOf } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { notingUpstream, startFleet } from './support.ts'
import { mostWithin } from './virtual-fleet.ts'

needs('redis-server', hasRedis)

const RATE = { requests: 40, per: '2s', burst: 8, queueTimeout: '4s' }
/** Turns and arrivals differ by the way to the upstream, which takes longer on a busy machine. */
const WINDOW_MS = 1_500
const PODS = 2
/** Silence after which the nodes of a Cluster promote a replica. */
const NODE_TIMEOUT_MS = 1_000
/** Time in which a sidecar uses the new master of a Cluster, from its promotion on. Sentinels may take twice as long to tell of theirs. */
const MAX_RETURN_MS = 5_000

const isShared = async ({ proxy }: { readonly proxy: Sidecar }) => {
  const told = JSON.parse((await ask(`${proxy.controlUrl}/v1/fleet`)).body.toString())
  const alone = await Promise.all(
    ['upstreams.web.rate', 'upstreams.web.concurrency.fleet'].map((limit) => proxy.sample('fleetAlone', { limit })),
  )
  return told.up && told.pods === PODS && alone.every((one) => one !== 1)
}

/** Sidecars under steady load, whose outcomes are noted. */
async function loadedFleet(t: TestContext, redis: string, top: object = {}) {
  const upstream = await notingUpstream(t)
  const web = { url: upstream.url, rate: RATE, concurrency: { fleet: 6 } }
  const pods = await startFleet(t, 0, PODS, web, { fleet: { redis, name: 'test', pods: PODS }, ...top })
  const shared = () => until(async () => (await Promise.all(pods.map(isShared))).every(Boolean))
  await shared()
  const outcomes: number[] = []
  let isOver = false
  const loads = pods.map(async ({ url }) => {
    while (!isOver) outcomes.push((await ask(url)).status)
  })
  const stop = async () => {
    isOver = true
    await Promise.all(loads)
    return { outcomes: new Set(outcomes), at: upstream.at.map((at) => ({ at })) }
  }
  await until(async () => upstream.at.length > 10)
  return { pods, shared, stop }
}

test.runIf(hasRedis)(
  'fleet: sentinels replace a master that dies; no request fails, and the limits are shared again',
  async (t) => {
    const { master, replica, sentinels } = await startGuardedMaster(t)
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const fleet = await loadedFleet(t, `redis+sentinel://${hosts}/main/0`)
    const killedAt = systemClock.now()
    await master.stop()
    await until(() => isMaster(replica))
    const promotedAt = systemClock.now()
    await Promise.all(
      fleet.pods.map(({ proxy }) =>
        proxy.logged(({ msg, limit }) => msg === 'limit of the fleet: shared' && limit === 'upstreams.web.rate'),
      ),
    )
    await fleet.shared()
    expect(systemClock.now() - promotedAt).toBeLessThan(2 * MAX_RETURN_MS)
    const { outcomes, at } = await fleet.stop()
    expect(outcomes).toEqual(new Set([200]))
    expect(
      mostWithin(
        at.filter((one) => one.at < killedAt),
        WINDOW_MS,
      ),
    ).toBeLessThanOrEqual(RATE.requests)
    // What was used before, and the shares beside it: docs/fleet.md.
    expect(mostWithin(at, WINDOW_MS)).toBeLessThanOrEqual(2 * RATE.requests)
  },
  40_000,
)

test.runIf(hasRedis)(
  'fleet and store: a Cluster promotes a replica, and both use it within 5 s',
  async (t) => {
    const nodes = await startCluster(t, NODE_TIMEOUT_MS)
    const [first] = nodes
    const slot = Number(await first?.command('CLUSTER', 'KEYSLOT', '{test:rate:web}'))
    const owner = nodes[Math.floor((slot * nodes.length) / 16_384)]
    if (owner === undefined) throw new Error('no such slot')
    const replica = await startReplicaOf(t, owner, NODE_TIMEOUT_MS)
    const place = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const fleet = await loadedFleet(t, place, { checkpoints: { store: place } })
    const control = fleet.pods[0]?.proxy.controlUrl
    const append = async (job: number) =>
      (
        await ask(`${control}/v1/checkpoints/job-${job}/items`, {
          method: 'POST',
          body: '{"stage":"s","item_ids":["a"]}',
        })
      ).status
    /** Jobs in the slots of every master. */
    const all = async () => {
      const statuses = await Promise.all(Array.from({ length: 9 }, (_, job) => append(job)))
      return statuses.every((status) => status < 300)
    }
    await until(all)
    await owner.stop()
    await until(() => isMaster(replica))
    const promotedAt = systemClock.now()
    await until(all)
    await fleet.shared()
    expect(systemClock.now() - promotedAt).toBeLessThan(MAX_RETURN_MS)
    expect((await fleet.stop()).outcomes).toEqual(new Set([200]))
  },
  40_000,
)

test.runIf(hasRedis)(
  'fleet: Redis over TLS with a client certificate; without one there is an own share, and requests are served',
  async (t) => {
    const file = (name: string) => join(import.meta.dirname, '../fixtures/tls/mutual', name)
    const port = await freePort()
    const server = ['--tls-cert-file', file('server.pem'), '--tls-key-file', file('server.key')]
    await startRedis(t, {
      config: ['--tls-port', `${port}`, ...server, '--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'yes'],
    })
    const redis = `rediss://127.0.0.1:${port}`
    const trusting = { ca: file('ca.pem'), servername: 'web.internal' }
    const mine = { ...trusting, cert: file('client.pem'), key: file('client.key') }
    const known = await loadedFleet(t, redis, { fleet: { redis, name: 'test', pods: PODS, tls: mine } })
    expect((await known.stop()).outcomes).toEqual(new Set([200]))
    const upstream = await notingUpstream(t)
    const stranger = { redis, name: 'test', tls: trusting }
    const [pod] = await startFleet(t, 0, 1, { url: upstream.url, rate: RATE }, { fleet: stranger })
    expect(await pod?.proxy.logged(({ msg }) => msg === 'fleet down: its Redis does not answer')).toMatchObject({
      level: 'warn',
    })
    expect((await ask(pod?.url ?? '')).status).toBe(200)
  },
  30_000,
)

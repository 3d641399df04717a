import { createServer, type Socket } from 'node:net'
import { describe, expect, type TestContext, test } from 'vitest'
import { openStore } from '../../src/checkpoint/open.ts'
import { storePlace } from '../../src/checkpoint/place.ts'
import { systemClock } from '../../src/clock.ts'
import { ALWAYS, NO_TLS } from '../checkpoint/store-contract.ts'
import { needs } from '../support/needs.ts'
import { freePort, listening } from '../support/ports.ts'
import { hasRedis, isMaster, startCluster, startGuardedMaster, startRedis, startSentinel } from '../support/redis.ts'
import { until } from '../support/until.ts'

const SETTINGS = { ttlMs: 600_000, maxItems: 10_000 }

async function open(t: TestContext, url: string) {
  const place = storePlace(url)
  if (place === undefined) throw new Error(`${url} is no place`)
  const store = await openStore(place, SETTINGS, NO_TLS, systemClock)
  t.onTestFinished(() => store.close())
  const done = new Set<string>()
  let count = 0
  /** Appends one item. @returns whether the append was acknowledged. */
  const append = async (job = 'film'): Promise<boolean> => {
    count += 1
    const id = `cut-${count}`
    const added = { stage: 's', itemIds: [id], totalItems: undefined, metadata: undefined }
    const isDone = await store.append(job, added, ALWAYS).then(
      () => true,
      () => false,
    )
    if (isDone) done.add(id)
    return isDone
  }
  /** Appends every 50 ms until the test is over, and ignores the results. */
  const underLoad = () => {
    const timer = setInterval(() => void append(), 50)
    t.onTestFinished(() => clearInterval(timer))
  }
  return { store, append, underLoad }
}

/** Starts a server that accepts connections and never sends a byte. @returns its port. */
async function silentServer(t: TestContext): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => sockets.delete(socket))
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return port
}

needs('redis-server', hasRedis)

describe.runIf(hasRedis)('Redis', { timeout: 60_000 }, () => {
  test.for([false, true])(
    'sentinel: appends go on after the master is killed under load (silent sentinel first: %s)',
    async (withSilent, t) => {
      const { master, sentinels } = await startGuardedMaster(t)
      const silent = withSilent ? [await silentServer(t)] : []
      const ports = [...silent, ...sentinels.map(({ port }) => port)]
      const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
      const { append, underLoad } = await open(t, `redis+sentinel://${hosts}/main/0`)
      await until(() => append())
      underLoad()
      await master.stop()
      await until(async () => !(await append()))
      await until(() => append())
      expect(await append()).toBe(true)
    },
  )

  test('sentinel: sentinels that start after the sidecar are found', async (t) => {
    const ports = [await freePort(), await freePort()]
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
    const { append, underLoad } = await open(t, `redis+sentinel://${hosts}/main/0`)
    underLoad()
    // By then the breaker for Redis is open, and the connection has been dropped.
    for (let i = 0; i < 20; i += 1) expect(await append()).toBe(false)
    const master = await startRedis(t)
    await startSentinel(t, master.port, { port: ports[1] ?? 0 })
    await until(() => append())
  })

  test('single server: appends go on once a server killed under load is back', async (t) => {
    const redis = await startRedis(t)
    const { append, underLoad } = await open(t, `redis://127.0.0.1:${redis.port}`)
    await until(() => append())
    underLoad()
    await redis.stop()
    for (let i = 0; i < 20; i += 1) expect(await append()).toBe(false)
    await startRedis(t, { port: redis.port })
    await until(() => append())
  })

  test('cluster: after the only configured node is killed, the other nodes are used', async (t) => {
    const nodes = await startCluster(t)
    const [first, second] = nodes
    if (first === undefined || second === undefined) throw new Error('no nodes')
    const bus = await freePort()
    const replica = await startRedis(t, { config: ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`] })
    for (const { command } of [...nodes, replica]) await command('CONFIG', 'SET', 'cluster-node-timeout', 1000)
    await second.command('CLUSTER', 'MEET', '127.0.0.1', replica.port, bus)
    const id = String(await first.command('CLUSTER', 'MYID'))
    await until(async () => String(await replica.command('CLUSTER', 'NODES')).includes(id))
    await until(async () =>
      replica.command('CLUSTER', 'REPLICATE', id).then(
        () => true,
        () => false,
      ),
    )
    await until(async () => String(await replica.command('INFO', 'replication')).includes('master_link_status:up'))
    const { append, underLoad } = await open(t, `redis+cluster://127.0.0.1:${first.port}`)
    // Jobs on every node, of which two are never killed.
    const jobs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    for (const job of jobs) await until(() => append(job))
    underLoad()
    await first.stop()
    await until(() => isMaster(replica))
    for (const job of jobs) await until(() => append(job))
  })
})

/**
 * Ten sidecar processes and one Redis: is the window held and used, under kills, pauses, an empty Redis, a failover, wrong clocks? What does a request pay
 * for it? Beside it what `simulate` predicts, and what Redis would be asked by fleets of 1,000 and 10,000. Prints Markdown.
 */

import { loadavg } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { TURNS } from '../src/fleet/scripts.ts'
import { latencies, mostWithin, share, tableOf, within } from './fleet/figures.ts'
import {
  type Got,
  notedUpstream,
  offer,
  type Pod,
  startGuardedRedis,
  startPod,
  startRedis,
  startTlsRedis,
} from './fleet/plant.ts'
import { predicted } from './fleet/simulated.ts'
import { freePort } from './machine/ports.ts'
import { createWorkplace } from './machine/processes.ts'

const PODS = 10
const PER_MS = 5_000
const RATE = { requests: 200, per: '5s', burst: 40, queueTimeout: '2s' }
const PERMITS = 4
/** Requests a second from all sidecars: half as many again as the rate allows, and what four permits take. */
const OFFERED = { web: 60, gpu: 50 }
/** The bench's own way to the upstream and back may delay a call by that much. */
const WAY_MS = 100

const { folder, processes } = createWorkplace()
const upstream = await notedUpstream()
const redisPort = await freePort()
let redis = await startRedis(redisPort, processes)

const url = `http://127.0.0.1:${upstream.port}`
const free = { url: `${url}/free` }
const config = {
  fleet: { redis: `redis://127.0.0.1:${redisPort}`, name: 'bench', pods: PODS },
  limits: { gpu: { fleet: PERMITS, queue: 50, queueTimeout: '2s' } },
  upstreams: {
    web: { url: `${url}/web`, rate: RATE, retry: { attempts: 1 }, breaker: { failureRate: false } },
    gpu: { url: `${url}/gpu`, limit: 'gpu', retry: { attempts: 1 }, breaker: { failureRate: false } },
    free: { ...free, rate: { requests: 100_000, per: '1s' }, concurrency: { fleet: 1_000 } },
  },
}
const plain = { upstreams: { free: { ...free, rate: { requests: 100_000, per: '1s' }, concurrency: { max: 1_000 } } } }

// One after the other: ten at once take longer than each may take.
const pods: (Pod | undefined)[] = []
for (let i = 0; i < PODS; i += 1) pods.push(await startPod(`pod${i}`, config, folder, processes))
const alone = await startPod('alone', plain, folder, processes)

const anyPod = (path: string) => () => {
  const pod = pods[Math.floor(Math.random() * PODS)]
  return pod && `${pod.url}/${path}`
}

/** A phase under load; `during` is what happens to the fleet, from a second after its begin. */
async function phase(name: string, ms: number, during: () => Promise<void> = async () => {}) {
  process.stderr.write(`${name}\n`)
  const from = performance.now()
  upstream.reset()
  const [web, gpu] = await Promise.all([
    offer(OFFERED.web, ms, anyPod('web/x')),
    offer(OFFERED.gpu, ms, anyPod('gpu/x')),
    wait(1_000).then(during),
  ])
  const to = from + ms
  const arrivals = upstream.arrivals.get('web') ?? []
  // Windows that end within the phase.
  const seen = within(arrivals, from - PER_MS, to)
  const used = within(arrivals, from, to).length / ((RATE.requests * ms) / PER_MS)
  const count = (all: readonly Got[], status: number) => String(all.filter((one) => one.status === status).length)
  return [
    name,
    String(mostWithin(seen, PER_MS - WAY_MS)),
    String(mostWithin(seen, PER_MS)),
    share(used, 1),
    String(upstream.mostAtOnce()),
    `${count(web, 200)} / ${count(web, 503)} / ${count(web, 0)}`,
    `${count(gpu, 200)} / ${count(gpu, 503)} / ${count(gpu, 0)}`,
  ]
}

async function kill(which: readonly number[]) {
  await Promise.all(which.map((i) => pods[i]?.running.stop()))
  for (const i of which) pods[i] = undefined
}

const asked = async () => {
  const client = new Redis({ port: redisPort, host: '127.0.0.1' })
  const stats = await client.info('commandstats')
  client.disconnect()
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

await offer(OFFERED.web, PER_MS, anyPod('web/x'))
const before = await asked()
const rows = [await phase('steady load', 10_000)]
const redisPerSecond = (await asked()) / 10 - before / 10
rows.push(
  await phase('three sidecars killed (SIGKILL), begun again after 3 s', 10_000, async () => {
    await kill([2, 5, 8])
    await wait(3_000)
    for (const i of [2, 5, 8]) pods[i] = await startPod(`pod${i}`, config, folder, processes)
  }),
  await phase('Redis paused for 3 s (SIGSTOP)', 10_000, async () => {
    process.kill(redis.pid, 'SIGSTOP')
    await wait(3_000)
    process.kill(redis.pid, 'SIGCONT')
  }),
  await phase('Redis killed (SIGKILL), empty again after 2 s', 10_000, async () => {
    await redis.stop()
    await wait(2_000)
    redis = await startRedis(redisPort, processes)
  }),
  await phase('steady load again', 8_000),
)

/** Ends all sidecars and begins them with another Redis. @param wrongBy hours, and thousandths of its pace, by which a clock is wrong. */
async function beginAnew(fleet: object, wrongBy: (pod: number) => number = () => 0) {
  await kill([...pods.keys()])
  const other = { ...config, fleet: { ...config.fleet, ...fleet } }
  for (let i = 0; i < PODS; i += 1) pods[i] = await startPod(`pod${i}`, other, folder, processes, wrongBy(i))
  await offer(OFFERED.web, PER_MS, anyPod('web/x'))
}

const WRONGEST = 4
await beginAnew({}, (pod) => (pod % (2 * WRONGEST + 1)) - WRONGEST)
rows.push(
  await phase('clocks of the sidecars wrong by up to four hours, back and ahead, and by 0.4 % of their pace', 10_000),
)
await beginAnew(await startTlsRedis(processes))
rows.push(await phase('Redis over TLS, with client certificates', 10_000))
const guarded = await startGuardedRedis(folder, processes)
await beginAnew({ redis: guarded.place })
rows.push(
  await phase('the master killed (SIGKILL): sentinels promote its replica', 12_000, () => guarded.master.stop()),
)
await beginAnew({})

process.stderr.write('latency\n')
const both = { fleet: [] as Got[], alone: [] as Got[] }
await Promise.all([
  offer(100, 6_000, anyPod('free/x')).then((all) => both.fleet.push(...all)),
  offer(100, 6_000, () => `${alone.url}/free/x`).then((all) => both.alone.push(...all)),
])

process.stderr.write('what Redis can do\n')
const client = new Redis({ port: redisPort, host: '127.0.0.1' })
await client.script('LOAD', TURNS.text)
const SCRIPTS = 5_000
const since = performance.now()
await Promise.all(
  Array.from({ length: SCRIPTS }, (_, i) =>
    client.evalsha(TURNS.sha, 2, '{b}w', '{b}p', 100_000, 1_000, 20_000, 2, 100, 20, 2_000, `p${i % 100}`, '', 'e', 0),
  ),
)
const capacity = (SCRIPTS / (performance.now() - since)) * 1_000
client.disconnect()
processes.killAll()

process.stderr.write('simulations\n')
const ten = await predicted(PODS, OFFERED.web / PODS, RATE, 30)
const large = []
for (const [count, perPod] of [
  [100, 1],
  [1_000, 1],
  [10_000, 0.2],
] as const) {
  const perSecond = count * perPod * 0.8
  const rate = { requests: Math.round(perSecond * 5), per: '5s', burst: Math.round(perSecond), queueTimeout: '2s' }
  const one = await predicted(count, perPod, rate, 20)
  large.push([
    count.toLocaleString('en'),
    (count * perPod).toLocaleString('en'),
    perSecond.toLocaleString('en'),
    one.callsPerSecond.toFixed(0),
    one.redisPerSecond.toFixed(0),
    share(one.redisPerSecond, capacity),
    (one.tookMs / 1_000).toFixed(0),
  ])
}

const [steady] = rows
process.stdout.write(`Ten sidecars, a rate of ${RATE.requests} calls within ${RATE.per}, ${PERMITS} permits of a limit whose calls take 100 ms; ${OFFERED.web} and ${OFFERED.gpu} requests a second
offered. Load average of the machine (2 cores): ${loadavg()[0]?.toFixed(0)}.

${tableOf(
  [
    'phase',
    `most calls within ${PER_MS - WAY_MS} ms`,
    `within ${PER_MS} ms`,
    'of the window used',
    'most permits at once',
    'rate: served / refused / sidecar gone',
    'limit: served / refused / sidecar gone',
  ],
  rows,
)}
Median and 99th percentile of a request, in ms, at 100 a second each, side by side: with the fleet ${latencies(both.fleet)}, without ${latencies(both.alone)}.

${tableOf(
  ['steady load', 'measured', 'simulated'],
  [
    ['of the window used', steady?.[3] ?? '', share(ten.callsPerSecond, RATE.requests / (PER_MS / 1_000))],
    ['scripts of Redis a second', redisPerSecond.toFixed(0), `${ten.redisPerSecond.toFixed(0)} (without the limit's)`],
  ],
)}
This Redis ran ${capacity.toFixed(0)} scripts a second.

${tableOf(
  [
    'sidecars',
    'requests a second',
    'rate a second',
    'calls a second',
    'scripts a second',
    'of what this Redis can do',
    'simulated in s',
  ],
  large,
)}`)
process.exit(0)

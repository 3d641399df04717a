/**
 * `npm run soak:kills`: kills sidecars, Redis masters and sentinels at random with SIGKILL, 50 times, while three sidecars on one Redis get
 * items and requests. Prints for each kill the time until every sidecar acknowledges again. Exits with 1 when that took over 10 s, when an acknowledged
 * item that a master kept is missing, when a request failed at a sidecar that was not killed, when the sidecars do not agree on a job's start, or when
 * an upstream got more calls within a window than the fleet's rate allows (twice as many while a master is away: docs/fleet.md).
 */

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { freePort, listening } from '../support/ports.ts'
import { until } from '../support/until.ts'
import { GuardedRedis } from './guarded-redis.ts'
import { RATED, RatedCalls } from './rated-calls.ts'

const KILLS = Number(process.env.KILLS ?? 50)
const SIDECARS = 3
const APPENDS_A_SECOND = 10
/** Long enough for a busy machine: sentinels that time out by themselves switch masters without a kill. */
const DOWN_AFTER_MS = 2_000
const MAX_RECOVERY_MS = 10_000
const JOB = 'film'
/** Items of one checkpoint: a larger one makes each append slower, and the soak would measure that. */
const ITEMS_EACH = 300

const cleanUps: (() => unknown)[] = []
const scope = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
const say = (text: string) => void process.stdout.write(`${text}\n`)

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
let state = seed
/** A number from 0 to below `most`: a linear congruential generator (Numerical Recipes' constants). */
const pick = (most: number) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * most)
}
say(`seed ${seed}`)

const redis = await GuardedRedis.start(scope, DOWN_AFTER_MS)
const upstream = createServer((_request, response) => response.end('ok'))
const upstreamPort = await listening(upstream)
const rated = new RatedCalls()
const ratedPort = await rated.listen()

type Sidecar = {
  readonly control: string
  readonly url: string
  /** The same for the upstream with a rate. */
  readonly ratedUrl: string
  command: ReturnType<typeof breakwater>
  /** When it last acknowledged an item. */
  acknowledgedAt: number
  /** Whether it is being killed: requests may fail. */
  isAway: boolean
  requests: number
  failed: number
  /** Requests to the upstream with a rate. */
  rated: { served: number; refused: number }
}

async function startSidecar(file: string): Promise<ReturnType<typeof breakwater>> {
  const command = breakwater(scope, ['run', '--config', file])
  await listensAt(command, 'control.listen')
  return command
}

const files: string[] = []
const sidecars = await Promise.all(
  Array.from({ length: SIDECARS }, async (_, i): Promise<Sidecar> => {
    const [control, own, ratedOwn] = [await freePort(), await freePort(), await freePort()]
    const lines = [
      'listen: false',
      'log: { access: false }',
      `control: { listen: 127.0.0.1:${control} }`,
      `checkpoints: { store: "${redis.place}", maxItems: 1000000, maxBody: 8MiB }`,
      'timeouts: { total: { base: 1h, min: 1s, max: 1h } }',
      `fleet: { redis: "${redis.place}", name: soak, pods: ${SIDECARS} }`,
      'upstreams:',
      `  web: { url: "http://127.0.0.1:${upstreamPort}", listen: "127.0.0.1:${own}" }`,
      `  rated: { url: "http://127.0.0.1:${ratedPort}", listen: "127.0.0.1:${ratedOwn}", rate: ${JSON.stringify(RATED)} }`,
    ]
    files[i] = configFile(scope, `${lines.join('\n')}\n`)
    const command = await startSidecar(files[i])
    return {
      control: `http://127.0.0.1:${control}/v1`,
      url: `http://127.0.0.1:${own}/`,
      ratedUrl: `http://127.0.0.1:${ratedOwn}/`,
      command,
      acknowledgedAt: 0,
      isAway: false,
      requests: 0,
      failed: 0,
      rated: { served: 0, refused: 0 },
    }
  }),
)

/** Job of an item: a record of all items would take longer to write than a kill takes. */
const jobOf = (item: number) => `film-${Math.floor(item / ITEMS_EACH)}`

const acknowledged = new Map<string, number>()
let count = 0
let isOver = false

async function append(sidecar: Sidecar): Promise<void> {
  count += 1
  const id = `item-${count}`
  const job = jobOf(count)
  const body = JSON.stringify({ stage: 's', item_ids: [id] })
  try {
    const answer = await fetch(`${sidecar.control}/checkpoints/${job}/items`, { method: 'POST', body })
    await answer.arrayBuffer()
    if (!answer.ok) return
    acknowledged.set(id, performance.now())
    sidecar.acknowledgedAt = performance.now()
  } catch {
    // the sidecar is being killed: nothing was acknowledged
  }
}

async function request(sidecar: Sidecar): Promise<void> {
  const wasAway = sidecar.isAway
  try {
    const answer = await fetch(sidecar.url, { headers: { 'x-job-id': JOB } })
    await answer.arrayBuffer()
    sidecar.requests += 1
    if (!answer.ok) sidecar.failed += 1
  } catch {
    if (!wasAway && !sidecar.isAway) sidecar.failed += 1
  }
}

/** The rate refuses a third of these: 503 is no failure. */
async function requestRated(sidecar: Sidecar): Promise<void> {
  const wasAway = sidecar.isAway
  try {
    const answer = await fetch(sidecar.ratedUrl)
    await answer.arrayBuffer()
    if (answer.ok) sidecar.rated.served += 1
    else if (answer.status === 503) sidecar.rated.refused += 1
    else sidecar.failed += 1
  } catch {
    if (!wasAway && !sidecar.isAway) sidecar.failed += 1
  }
}

const loads = sidecars.map(async (sidecar) => {
  const underWay = new Set<Promise<void>>()
  while (!isOver) {
    for (const one of [append(sidecar), request(sidecar), requestRated(sidecar)]) {
      underWay.add(one)
      void one.finally(() => underWay.delete(one))
    }
    await pause(1_000 / APPENDS_A_SECOND)
  }
  await Promise.all(underWay)
})

const itemsIn = (text: unknown): string[] => (text === null ? [] : JSON.parse(String(text)).item_ids)

/** All items that a master has. */
async function itemsAt(master: number): Promise<ReadonlySet<string>> {
  const jobs = Array.from({ length: Math.floor(count / ITEMS_EACH) + 1 }, (_, i) => jobOf(i * ITEMS_EACH))
  const texts = await Promise.all(jobs.map((job) => redis.ask(master, 'GET', `checkpoint:granular:${job}`)))
  return new Set(texts.flatMap(itemsIn))
}

const kept = new Set<string>()
let lostByRedis = 0

/** Notes which of the items that were acknowledged before the kill the new master has. */
async function noteKept(master: number, killedAt: number): Promise<void> {
  const there = await itemsAt(master)
  for (const [id, at] of acknowledged) {
    if (at >= killedAt || kept.has(id)) continue
    if (there.has(id)) kept.add(id)
    else lostByRedis += 1
  }
}

/** @returns ms from the kill until every sidecar has acknowledged again. */
async function recovered(killedAt: number): Promise<number> {
  await until(async () => sidecars.every(({ acknowledgedAt }) => acknowledgedAt > killedAt + 1))
  return Math.max(...sidecars.map(({ acknowledgedAt }) => acknowledgedAt)) - killedAt
}

async function killSidecar(): Promise<number> {
  const i = pick(SIDECARS)
  const sidecar = sidecars[i]
  const file = files[i]
  if (sidecar === undefined || file === undefined) throw new Error('no such sidecar')
  sidecar.isAway = true
  const killedAt = performance.now()
  sidecar.command.child.kill('SIGKILL')
  sidecar.command = await startSidecar(file)
  sidecar.isAway = false
  return recovered(killedAt)
}

async function killSentinel(): Promise<number> {
  const killedAt = performance.now()
  const beginAgain = await redis.killSentinel(pick(3))
  const tookMs = await recovered(killedAt)
  await beginAgain()
  return tookMs
}

async function killMaster(): Promise<number> {
  const killedAt = performance.now()
  const { before, after } = await redis.killMaster()
  const [tookMs] = await Promise.all([recovered(killedAt), noteKept(after, killedAt)])
  rated.wasAway(killedAt)
  await redis.beginAgain(before, after)
  return tookMs
}

const VICTIMS = [
  ['sidecar', killSidecar],
  ['sentinel', killSentinel],
  ['master', killMaster],
] as const

/** Registers the job, or asks for it. @returns its start. */
async function startAt(control: string, method: 'PUT' | 'GET'): Promise<string> {
  const answer = await fetch(`${control}/jobs/${JOB}`, { method, ...(method === 'PUT' ? { body: '{}' } : {}) })
  return JSON.parse(await answer.text()).started_at
}

const start = await startAt(sidecars[0]?.control ?? '', 'PUT')
await until(async () => acknowledged.size > 20)
const worst = new Map<string, number>()
for (let kill = 1; kill <= KILLS; kill += 1) {
  const [name, act] = VICTIMS[pick(VICTIMS.length)] ?? VICTIMS[0]
  const [master, from] = [await redis.named(), performance.now()]
  const tookMs = await act()
  // On a busy machine the sentinels may switch without the kill of a master.
  if ((await redis.named()) !== master) rated.wasAway(from)
  worst.set(name, Math.max(worst.get(name) ?? 0, tookMs))
  say(`kill ${kill}, ${name}: every sidecar acknowledged again after ${(tookMs / 1_000).toFixed(2)} s`)
}
isOver = true
await Promise.all(loads)

const final = await itemsAt(await redis.named())
const gone = [...kept].filter((id) => !final.has(id))
const starts = await Promise.all(sidecars.map(({ control }) => startAt(control, 'GET')))
const requests = sidecars.reduce((sum, sidecar) => sum + sidecar.requests, 0)
const failed = sidecars.reduce((sum, sidecar) => sum + sidecar.failed, 0)
say(`${acknowledged.size} items acknowledged; ${lostByRedis} had not reached a new master when theirs was killed`)
say(`${kept.size} seen at a new master, ${gone.length} of those gone`)
say(`${requests} requests answered, ${failed} failed at a sidecar that ran`)
const { withRedis, overFailovers } = rated.fullest()
const served = sidecars.reduce((sum, sidecar) => sum + sidecar.rated.served, 0)
const refused = sidecars.reduce((sum, sidecar) => sum + sidecar.rated.refused, 0)
say(
  `rate of ${RATED.requests} calls within ${RATED.per}: ${served} served, ${refused} refused, ${rated.count} calls arrived; at most ${withRedis} ` +
    `within a window while Redis answered, ${overFailovers} within one over a failover`,
)
say(`start of the job: ${start}; at the end ${starts.join(', ')}`)
for (const [name, ms] of worst) say(`slowest recovery after the kill of a ${name}: ${(ms / 1_000).toFixed(2)} s`)
for (const { command } of sidecars) {
  command.child.kill('SIGTERM')
  await once(command.child, 'exit')
}
upstream.close()
rated.close()
for (const cleanUp of cleanUps.reverse()) await cleanUp()
const isFast = [...worst.values()].every((ms) => ms <= MAX_RECOVERY_MS)
const agree = starts.every((one) => one === start)
const isWithin = withRedis <= RATED.requests && overFailovers <= 2 * RATED.requests
process.exitCode = gone.length === 0 && failed === 0 && isFast && agree && isWithin ? 0 : 1

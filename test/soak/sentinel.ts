/**
 * `npm run soak:sentinel`: kills the master of a Redis with Sentinel 20 times, while a sidecar gets 20 items a second.
 * Prints for each kill the time from the failover to the next acknowledged item, and at the end the acknowledged items
 * that a new master had and that are now missing. Exits with 1 when a recovery took over 5 s or an item is missing.
 */

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { type RedisServer, startRedis, startSentinel } from '../support/redis.ts'
import { until } from '../support/until.ts'

const KILLS = 20
const APPENDS_A_SECOND = 20
const MAX_RECOVERY_MS = 5_000

const cleanUps: (() => unknown)[] = []
const scope = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
const say = (text: string) => void process.stdout.write(`${text}\n`)

/**
 * A master takes writes only while a replica lags at most 1 s, so a master that is cut off from its replicas stops
 * by itself. A failover needs two of the three sentinels.
 */
const SAFE = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '1', '--repl-ping-replica-period', '1']
const QUORUM = 2

const startNode = (master: number | undefined, port?: number) =>
  startRedis(scope, {
    config: [...SAFE, ...(master === undefined ? [] : ['--replicaof', '127.0.0.1', `${master}`])],
    ...(port === undefined ? {} : { port }),
  })

const nodes = new Map<number, RedisServer>()
const master = await startNode(undefined)
nodes.set(master.port, master)
for (const _ of [1, 2]) {
  const replica = await startNode(master.port)
  nodes.set(replica.port, replica)
}
const CLOSED = 'Connection is closed.'
const MAX_ANSWER_MS = 3_000
/**
 * Sends a command again when its connection closes: sentinels close the client connections of a server whose role they
 * change. Some commands end without an answer or an error, hence the limit of MAX_ANSWER_MS.
 */
const tell = async (server: RedisServer | undefined, ...words: string[]): Promise<unknown> => {
  for (;;) {
    try {
      const late = pause(MAX_ANSWER_MS, undefined, { ref: false }).then(() => Promise.reject(new Error(CLOSED)))
      return await Promise.race([server?.command(...words), late])
    } catch (error) {
      if (!(error instanceof Error) || error.message !== CLOSED) throw error
    }
  }
}
const hasReplicas = async (port: number, count: number) =>
  [...String(await tell(nodes.get(port), 'INFO', 'replication')).matchAll(/state=online/g)].length === count
await until(() => hasReplicas(master.port, 2))
const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(scope, master.port, { quorum: QUORUM })))
/** Whether every sentinel reports a healthy master, both replicas and both other sentinels. */
const isSettled = async () => {
  const told = await Promise.all(sentinels.map((sentinel) => tell(sentinel, 'INFO', 'sentinel')))
  return told.every((text) => /status=ok,[^\r]*slaves=[2-9],sentinels=3/.test(String(text)))
}
await until(isSettled)

const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
const config = [
  'listen: false',
  'control: { listen: 127.0.0.1:0 }',
  `checkpoints: { store: "redis+sentinel://${hosts}/main/0", maxItems: 100000 }`,
  'upstreams: { web: { url: http://127.0.0.1:9 } }',
].join('\n')
const sidecar = breakwater(scope, ['run', '--config', configFile(scope, `${config}\n`)])
const url = `${await listensAt(sidecar, 'control.listen')}/v1/checkpoints/film`

const acknowledged = new Map<string, number>()
let count = 0
let isOver = false
const append = async () => {
  count += 1
  const id = `item-${count}`
  const body = JSON.stringify({ stage: 's', item_ids: [id] })
  const answer = await fetch(`${url}/items`, { method: 'POST', body })
  if (answer.ok) acknowledged.set(id, performance.now())
  await answer.arrayBuffer()
}
const load = (async () => {
  const underWay = new Set<Promise<void>>()
  while (!isOver) {
    const one: Promise<void> = append().finally(() => underWay.delete(one))
    underWay.add(one)
    await pause(1_000 / APPENDS_A_SECOND)
  }
  await Promise.all(underWay)
})()

/** The port of the master that most sentinels name. */
const named = async (): Promise<number> => {
  const ports = await Promise.all(
    sentinels.map(async (sentinel) =>
      Number(((await tell(sentinel, 'SENTINEL', 'get-master-addr-by-name', 'main')) as string[])[1]),
    ),
  )
  return ports.find((port, i) => ports.indexOf(port) !== i) ?? 0
}
const itemsIn = (text: unknown): string[] => (text === null ? [] : JSON.parse(String(text)).item_ids)

const kept = new Set<string>()
const recoveries: number[] = []
await until(async () => acknowledged.size > 20)
for (let kill = 1; kill <= KILLS; kill += 1) {
  const before = await named()
  const killedAt = performance.now()
  await nodes.get(before)?.stop()
  await until(async () => ![0, before].includes(await named()))
  const switchedAt = performance.now()
  const after = await named()
  const acknowledgedBefore = [...acknowledged].filter(([, at]) => at < killedAt).map(([id]) => id)
  const keptNow = new Set(itemsIn(await tell(nodes.get(after), 'GET', 'checkpoint:granular:film')))
  for (const id of acknowledgedBefore) if (keptNow.has(id)) kept.add(id)
  const lostByRedis = acknowledgedBefore.filter((id) => !keptNow.has(id)).length
  const firstAgain = () => [...acknowledged.values()].find((at) => at > killedAt + 1 && at >= switchedAt - 200)
  await until(async () => firstAgain() !== undefined)
  const recoveryMs = Math.max(0, (firstAgain() ?? 0) - switchedAt)
  recoveries.push(recoveryMs)
  say(
    `kill ${kill}: sentinels switched after ${((switchedAt - killedAt) / 1_000).toFixed(2)} s, ` +
      `acknowledged again ${(recoveryMs / 1_000).toFixed(2)} s later; ` +
      `${lostByRedis} of ${acknowledgedBefore.length} acknowledged items had not reached the new master`,
  )
  nodes.set(before, await startNode(after, before))
  await until(async () => (await hasReplicas(after, 2)) && (await isSettled()))
  // After a failover, sentinels start the next one only after twice their failover-timeout.
  await pause(6_500)
}
isOver = true
await load
const answer = await fetch(url)
const final = new Set(itemsIn(await answer.text()))
const gone = [...kept].filter((id) => !final.has(id))
const worstMs = Math.max(...recoveries)
say(`${acknowledged.size} items acknowledged, ${kept.size} of them seen at a new master, ${gone.length} of those gone`)
say(
  `slowest recovery: ${(worstMs / 1_000).toFixed(2)} s after the sentinels' switch (limit ${MAX_RECOVERY_MS / 1_000} s)`,
)
sidecar.child.kill('SIGTERM')
await once(sidecar.child, 'exit')
for (const cleanUp of cleanUps.reverse()) await cleanUp()
process.exitCode = gone.length === 0 && worstMs <= MAX_RECOVERY_MS ? 0 : 1

/**
 * `npm run soak:sentinel`: kills the master of a Redis with Sentinel 20 times, while a sidecar gets 20 items a second.
 * Prints for each kill the time from the failover to the next acknowledged item, and at the end the acknowledged items
 * that a new master had and that are now missing. Exits with 1 when a recovery took over 5 s or an item is missing.
 */

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { until } from '../support/until.ts'
import { GuardedRedis } from './guarded-redis.ts'

const KILLS = Number(process.env.KILLS ?? 20)
const APPENDS_A_SECOND = 20
const MAX_RECOVERY_MS = 5_000

const cleanUps: (() => unknown)[] = []
const scope = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
const say = (text: string) => void process.stdout.write(`${text}\n`)

const redis = await GuardedRedis.start(scope, 500)
const config = [
  'listen: false',
  'control: { listen: 127.0.0.1:0 }',
  `checkpoints: { store: "${redis.place}", maxItems: 100000 }`,
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

const itemsIn = (text: unknown): string[] => (text === null ? [] : JSON.parse(String(text)).item_ids)

const kept = new Set<string>()
const recoveries: number[] = []
await until(async () => acknowledged.size > 20)
for (let kill = 1; kill <= KILLS; kill += 1) {
  const killedAt = performance.now()
  const { before, after } = await redis.killMaster()
  const switchedAt = performance.now()
  const acknowledgedBefore = [...acknowledged].filter(([, at]) => at < killedAt).map(([id]) => id)
  const keptNow = new Set(itemsIn(await redis.ask(after, 'GET', 'checkpoint:granular:film')))
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
  await redis.beginAgain(before, after)
}
isOver = true
await load
// On a busy machine the sentinels may be switching once more: a 503 is no loss.
let text = ''
await until(async () => {
  const answer = await fetch(url)
  text = await answer.text()
  return answer.ok
})
const final = new Set(itemsIn(text))
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

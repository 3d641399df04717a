/**
 * Appends finished items to checkpoints through the control API, on several connections, each with a job of its own.
 * Arguments: url of the control listener, clients, appends a second in all (0: as fast as they are acknowledged), seconds.
 * Prints one line of JSON, an Appending (see appending.ts).
 */

import { Pool } from 'undici'
import { quantile } from '../statistics.ts'

const ITEMS_A_JOB = 50
/** Answers of this first time are not counted, while connections are made. */
const SETTLING_MS = 500

const [origin = '', clients, perSecond, seconds] = process.argv.slice(2)
const pool = new Pool(origin, { connections: Number(clients), allowH2: false })
const beganAt = performance.now()
const countsFrom = performance.now() + SETTLING_MS
const endsAt = countsFrom + Number(seconds) * 1000
const latenciesMs: number[] = []
let acknowledged = 0

await Promise.all(Array.from({ length: Number(clients) }, (_, client) => work(client)))
await pool.close()
const sorted = latenciesMs.toSorted((a, b) => a - b)
const lengthS = (performance.now() - countsFrom) / 1000
const appending = {
  perSecond: acknowledged / lengthS,
  p50Ms: quantile(sorted, 0.5),
  p99Ms: quantile(sorted, 0.99),
  failed: sorted.length - acknowledged,
}
process.stdout.write(`${JSON.stringify(appending)}\n`)

async function work(client: number): Promise<void> {
  const everyMs = Number(perSecond) === 0 ? 0 : (1000 * Number(clients)) / Number(perSecond)
  // The clients' first appends are spread: clients that start together stay in step.
  let dueAt = beganAt + (everyMs * client) / Number(clients)
  for (let n = 0; performance.now() < endsAt; n += 1) {
    const waitMs = dueAt - performance.now()
    if (everyMs > 0 && waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    dueAt += everyMs
    await append(`bench-${process.pid}-${client}-${Math.floor(n / ITEMS_A_JOB)}`, `item-${n}`)
  }
}

async function append(job: string, id: string): Promise<void> {
  const askedAt = performance.now()
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: `/v1/checkpoints/${job}/items`,
    body: JSON.stringify({ stage: 'downloading', item_ids: [id], total_items: ITEMS_A_JOB }),
  })
  await body.dump()
  if (askedAt < countsFrom) return
  latenciesMs.push(performance.now() - askedAt)
  if (statusCode === 200 || statusCode === 201) acknowledged += 1
}

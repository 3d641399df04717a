/** Fuzz of the control API: no call may stop the store, cause a fault of the sidecar, or change an item id. */

import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { ask } from '../support/client.ts'
import type { Chance } from './chance.ts'
import { type ControlCall, controlCall, operationsIn } from './control-calls.ts'
import { ResponseReader } from './reader.ts'
import type { RunningSidecar } from './sidecar.ts'

const PATIENCE_MS = 12_000

/** Configuration with job inputs, a computed timeout and a small maxItems. @param store as in the file. */
export const controlConfig = (store: string) => ({
  listen: '127.0.0.1:0',
  control: { listen: '127.0.0.1:0' },
  checkpoints: { store, maxItems: 500 },
  job: {
    inputs: {
      minutes: { header: 'x-minutes', default: 5, min: 1, max: 600 },
      kind: { header: 'x-kind', default: 'long' },
    },
  },
  timeouts: { total: { base: '10s', per: { minutes: '1s' }, times: { kind: { short: 0.5 } } } },
  upstreams: { bare: { url: 'http://127.0.0.1:1' } },
})

/** @returns the findings, each with its call. */
export async function controlRound(
  sidecar: RunningSidecar,
  chance: Chance,
  numbers: readonly number[],
  atOnce: number,
): Promise<string[]> {
  const url = `http://127.0.0.1:${sidecar.controlPort}`
  const operations = operationsIn(JSON.parse((await ask(`${url}/openapi.json`)).body.toString()))
  const left = numbers.map((number) => [number, controlCall(number, chance.fork(number), operations)] as const)
  const findings: string[] = []
  const work = async () => {
    for (let next = left.shift(); next !== undefined && sidecar.ending() === undefined; next = left.shift()) {
      const [number, call] = next
      for (const finding of await carryOut(call, sidecar.controlPort))
        findings.push(`call ${number}: ${finding}\n    ${described(call)}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return [...findings, ...(await unserved(sidecar, url))]
}

const described = ({ method, target, document }: ControlCall) => {
  const body = document === undefined ? '' : JSON.stringify(document.bytes.subarray(0, 160).toString('latin1'))
  return `${method} ${target} ${body}${(document?.bytes.length ?? 0) > 160 ? ` (${document?.bytes.length} bytes)` : ''}`
}

async function carryOut(call: ControlCall, port: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  const over = Promise.withResolvers<void>()
  const asked = [{ id: '', method: call.method, offersUpgrade: false, isSound: call.isSound }]
  const reader = new ResponseReader(asked, over.resolve)
  socket.on('data', (bytes: Buffer) => reader.push(bytes))
  socket.on('error', () => over.resolve())
  socket.on('close', () => over.resolve())
  for (const piece of call.pieces) {
    socket.write(piece)
    await setTimeout(1)
  }
  if (!call.leaves) await Promise.race([over.promise, setTimeout(PATIENCE_MS, undefined, { ref: false })])
  socket.destroy()
  if (call.leaves) return []
  return [...reader.faults, ...(call.isSound ? await judged(call, reader, port) : [])]
}

async function judged(
  { document, ownJob, target, method }: ControlCall,
  reader: ResponseReader,
  port: number,
): Promise<string[]> {
  const { answers, status, text } = reader
  if (answers === 0) return ['no answer']
  if (status === 500 || (status === 503 && /store/.test(text))) return [`${status} ${text.slice(0, 300)}`]
  if (status >= 300 || document === undefined || method === 'GET' || method === 'DELETE') return []
  if (!document.isJson) return [`${status} for a body that is not JSON`]
  if (ownJob === undefined || target.includes('/remaining')) return []
  const sent: { item_ids?: string[] } = JSON.parse(document.bytes.toString().replace('\uFEFF', ''))
  const read = await ask(`http://127.0.0.1:${port}/v1/checkpoints/${ownJob}`)
  if (read.status !== 200) return [`${status}, but reading it is answered with ${read.status}`]
  const kept: { item_ids: string[] } = JSON.parse(read.body.toString())
  const lost = (sent.item_ids ?? []).filter((id) => !kept.item_ids.includes(id))
  return lost.length === 0
    ? []
    : [`${status}, but ${JSON.stringify(lost).slice(0, 80)} became ${JSON.stringify(kept.item_ids).slice(0, 80)}`]
}

/** Findings after a round: plain calls that are not served, and faults in the metrics. */
export async function unserved(sidecar: RunningSidecar, url: string): Promise<string[]> {
  const ending = sidecar.ending()
  if (ending !== undefined) return [ending]
  const job = `plain-${performance.now()}`
  const calls = [
    [`v1/checkpoints/${job}/items`, 201, JSON.stringify({ stage: 'plain', item_ids: ['one'] })],
    [`v1/checkpoints/${job}`, 200, undefined],
    ['v1/checkpoints', 200, undefined],
    ['v1/progress', 200, undefined],
    ['v1/jobs', 200, undefined],
    ['', 200, undefined],
  ] as const
  const findings: string[] = []
  for (const [path, status, body] of calls) {
    const answer = await ask(`${url}/${path}`, body === undefined ? {} : { method: 'POST', body })
    if (answer.status !== status)
      findings.push(`afterwards /${path} is answered with ${answer.status} ${answer.body.toString().slice(0, 200)}`)
  }
  const metrics = (await ask(`${url}/metrics`)).body.toString()
  const told = [...metrics.matchAll(/^breakwater_(?:faults_total [^0].*|checkpoint_store_up 0)$/gm)].map(
    ([line]) => line,
  )
  return [...findings, ...told]
}

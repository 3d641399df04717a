/** One client connection of the fuzz: carries out the steps of a talk and reads the responses. */

import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { Registry } from './registry.ts'
import { ResponseReader } from './reader.ts'
import type { Step, Talk } from './talks.ts'

/** Longest wait for a response or the end of the connection: far longer than any timeout of this sidecar. */
const PATIENCE_MS = 12_000

/** Resolves when the connection is closed. Reports faults to the registry. */
export async function carryOut(talk: Talk, port: number, registry: Registry): Promise<void> {
  for (const sent of talk.requests) registry.add(sent)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const resume of waiting) resume()
    waiting.clear()
  }
  let isEnded = false
  const asked = talk.requests.map((sent) => ({ ...sent, isSound: sent.isSound && sent.isWhole }))
  const reader = new ResponseReader(asked, wake)
  const over = () => {
    isEnded = true
    wake()
  }
  socket.on('data', (bytes: Buffer) => reader.push(bytes))
  socket.on('end', () => {
    reader.end()
    over()
  })
  socket.on('error', over)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  void closed.then(over)
  const overdue = AbortSignal.timeout(PATIENCE_MS)
  overdue.addEventListener('abort', wake)
  const answers = async (count: number) => {
    while (reader.answers < count && !reader.isOver && !isEnded && !overdue.aborted)
      await new Promise<void>((resolve) => waiting.add(resolve))
  }
  const take = async (step: Step): Promise<unknown> => {
    switch (step.kind) {
      case 'write':
        return void socket.write(step.bytes)
      case 'wait':
        return setTimeout(step.ms)
      case 'answers':
        return answers(step.count)
      case 'unread':
        socket.pause()
        void setTimeout(step.ms).then(() => socket.resume())
        return
      case 'end':
        return void socket.end()
      case 'reset':
        return void socket.resetAndDestroy()
      case 'close':
        return void socket.destroy()
    }
  }
  for (const step of talk.steps) {
    if (isEnded || overdue.aborted) break
    await take(step)
  }
  if (overdue.aborted && talk.isOwedAnswers)
    registry.report(
      `talk ${talk.number}: ${reader.answers} of ${talk.requests.length} answered, and no end of the connection`,
    )
  for (const fault of reader.faults) registry.report(`talk ${talk.number}: ${fault}`)
  socket.destroy()
  await closed
}

/** Text for a report: the bytes sent, and how the upstream answered each call. */
export function describeTalk(talk: Talk, registry: Registry): string {
  const steps = talk.steps.map((step) => {
    if (step.kind !== 'write') return JSON.stringify(step)
    const text = JSON.stringify(step.bytes.subarray(0, 300).toString('latin1'))
    return `write ${text}${step.bytes.length > 160 ? ` and ${step.bytes.length - 160} bytes more` : ''}`
  })
  const told = [...new Set(talk.requests.map(({ id }) => id))].map(
    (id) => `${id}: ${registry.toldOf(id).slice(-4).join(' | ')}`,
  )
  return [`talk ${talk.number}`, ...steps, 'the upstream answered', ...told].join('\n    ')
}

import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { Case, Seen, Step } from './case.ts'
import { Bell, RawClient, type RawUpstream } from './endpoints.ts'

export type Against = {
  /** Port on which the proxy listens. */
  readonly port: number
  readonly isStrict: boolean
  /** Longest wait for what a case expects, in ms. */
  readonly patienceMs: number
}

export type Outcome = { readonly fault: string | undefined; readonly seen: Seen }

/** How long a case that should be over, since all is answered or the connection closed, may still change, in ms. */
const AFTERMATH_MS = 300

/** Plays one case: the client's steps, the upstream's, and the checks until they hold or can hold no longer. */
export async function play(one: Case, against: Against, upstream: RawUpstream): Promise<Outcome> {
  const bell = new Bell()
  const stage = await upstream.stage(one.upstream ?? [], bell)
  const client = new RawClient(against.port, one.client, bell)
  const has = (step: Step): boolean => {
    if (typeof step === 'string' || 'bytewise' in step || 'turns' in step) return true
    if ('clientHas' in step) return client.received.includes(step.clientHas)
    if ('upstreamHas' in step) return stage.received.some((text) => text.includes(step.upstreamHas))
    return stage.closed >= step.upstreamClosed
  }
  let waitsFor: Step | undefined
  let isOver = false
  const act = async (steps: readonly Step[], socket: Socket, isClient: boolean) => {
    for (const step of steps) {
      if (isClient) waitsFor = step
      await bell.until(() => has(step))
      if (isOver) return
      await send(step, socket)
    }
  }
  stage.act = (steps, socket) => act(steps, socket, false)
  void act(one.client, client.socket, true).then(() => {
    waitsFor = undefined
    bell.ring()
  })

  const seen = (): Seen => ({
    isStrict: against.isStrict,
    responses: client.responses,
    received: client.received,
    rest: client.rest,
    ending: client.ending,
    requests: stage.requests,
    upstreamReceived: stage.received,
    closedUpstream: stage.closed,
    upstreamPort: upstream.port,
  })
  const judge = (now: Seen) => {
    for (const check of [...one.expect, isWellFormed]) {
      const fault = check(now)
      if (fault !== undefined) return fault
    }
    return waitsFor === undefined || client.ending !== 'open' ? undefined : `waits for ${JSON.stringify(waitsFor)}`
  }
  let giveUpAt = performance.now() + against.patienceMs
  let fault = judge(seen())
  while (fault !== undefined && performance.now() < giveUpAt) {
    await changeBefore(giveUpAt, bell)
    fault = judge(seen())
    if (client.isOver && waitsFor === undefined) giveUpAt = Math.min(giveUpAt, performance.now() + AFTERMATH_MS)
  }
  const { ending } = client
  const atEnd = { ...seen(), ending }
  isOver = true
  client.socket.destroy()
  await upstream.clear()
  // Once more, for what a proxy sent the upstream after the client had its answer.
  return { fault: fault ?? judge({ ...atEnd, requests: stage.requests }), seen: atEnd }
}

async function send(step: Step, socket: Socket): Promise<void> {
  if (step === 'FIN') return void socket.end()
  // libuv cannot reset a socket that is being shut down, and node then never reports its close.
  if (step === 'RST') return void (socket.writableEnded ? socket.destroy() : socket.resetAndDestroy())
  if (typeof step === 'string') return write(step, socket)
  if ('turns' in step) for (let n = 0; n < step.turns; n += 1) await turn()
  if (!('bytewise' in step)) return
  for (const byte of step.bytewise) await write(byte, socket)
}

/** Writes, and lets a proxy in this process read before the next write. */
async function write(text: string, socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => void socket.write(text, 'latin1', () => resolve()))
  await turn()
}

function changeBefore(at: number, bell: Bell): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(1, at - performance.now()))
    void bell.next().then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Holds for every case: whatever a proxy writes, to either side, is framed in one way and follows the grammar. */
function isWellFormed({ requests, responses }: Seen): string | undefined {
  const faulty = [...requests, ...responses, ...responses.flatMap(({ interim }) => interim)].find(({ fault }) => fault)
  return faulty && `the proxy wrote a malformed message: ${faulty.fault} (${faulty.startLine.slice(0, 60)})`
}

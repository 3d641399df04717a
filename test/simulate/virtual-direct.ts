/** Plays a fault of `bench:direct` without sockets: the same client, the same upstream, both ways, on a virtual clock. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Call, CALL_ID, type Client, counter, PATIENCE, type Reply } from '../../bench/direct/client.ts'
import type { Clock } from '../../bench/direct/clock.ts'
import type { Fault } from '../../bench/direct/fault.ts'
import type { Score, Way } from '../../bench/direct/play.ts'
import type { Upstream } from '../../bench/direct/upstream.ts'
import { Tally } from '../../src/simulate/report/tally.ts'
import { SimulatedSidecar } from '../../src/simulate/sidecar.ts'
import { type Ended, simulatedReply } from '../../src/simulate/simulated-call.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { fail, seeded } from '../support/virtual.ts'
import { configOf } from './support.ts'

const AWAY = fail('connect_refused', 1) as Ended
const RESET = fail('reset', 0) as Ended

/** Time in seconds as the bench's clock has it. */
const inSeconds = (virtual: VirtualClock): Clock => {
  const toMs = (seconds: number) => seconds * 1000
  const now = () => virtual.now() / 1000
  const sleep = (seconds: number) => new Promise<void>((resolve) => void virtual.after(toMs(seconds), resolve))
  return {
    start: () => {},
    now,
    sleep,
    until: async (at) => {
      if (at > now()) await sleep(at - now())
    },
    toMs,
  }
}

type VirtualUpstream = Upstream & {
  /** Takes a call. Never resolves for one that is not answered. */
  readonly take: (method: string, url: string, id: string) => Ended | Promise<Ended>
}

function upstreamOf(fault: Fault, replica: number, clock: Clock, port: number): VirtualUpstream {
  const answers = fault.answers(clock, replica)
  const underWay = new Set<(ended: Ended) => void>()
  const seen = new Set<string>()
  const repeated = new Set<string>()
  let calls = 0
  let isAway = false
  return {
    url: `http://replica-${port}`,
    calls: () => calls,
    repeatedPosts: () => repeated.size,
    away: async (seconds, reset) => {
      isAway = true
      if (reset === 'reset') for (const end of [...underWay]) end(RESET)
      await clock.sleep(seconds)
      isAway = false
    },
    pause: () => Promise.reject(new Error('only a process can be paused')),
    stop: () => {},
    take: (method, url, id) => {
      if (isAway) return AWAY
      calls += 1
      if (method === 'POST' && seen.has(id)) repeated.add(id)
      seen.add(id)
      return new Promise((resolve) => {
        const end = (ended: Ended) => {
          underWay.delete(end)
          resolve(ended)
        }
        underWay.add(end)
        const request = {
          method,
          url,
          headers: { [CALL_ID]: id },
          socket: { resetAndDestroy: () => end(RESET) },
          async *[Symbol.asyncIterator]() {},
        }
        // Faults that need more of a request or a response say `onWire`.
        answers.request(request as unknown as IncomingMessage, responseTo(end) as unknown as ServerResponse)
      })
    },
  }
}

function responseTo(end: (ended: Ended) => void) {
  let [status, headers] = [200, [] as string[]]
  const response = {
    writeHead: (given: number, fields: Record<string, string> = {}) => {
      status = given
      headers = Object.entries(fields).flat()
      return response
    },
    end: (body: string) => end({ ...simulatedReply(status, 0, body), headers }),
  }
  return response
}

type Caller = (
  call: Required<Pick<Call, 'method' | 'path' | 'timeout'>> & { bytes: number; id: string },
) => Promise<Reply>

const NOTHING: Reply = { status: undefined, text: '' }

/** Calls the upstreams in turn. */
function directly(upstreams: readonly VirtualUpstream[], clock: Clock): Caller {
  let next = 0
  return async ({ method, path, id, timeout }) => {
    const upstream = upstreams[next % upstreams.length]
    next += 1
    const ended = await Promise.race([upstream?.take(method, path, id), clock.sleep(timeout)])
    if (ended?.kind !== 'reply') return NOTHING
    return { status: ended.status, text: ended.body }
  }
}

/** Calls through a sidecar on its defaults. */
function throughSidecar(upstreams: readonly VirtualUpstream[], virtual: VirtualClock): Caller {
  const byOrigin = new Map(upstreams.map((upstream) => [upstream.url, upstream]))
  const config = configOf({ upstreams: { a: { urls: [...byOrigin.keys()] } } })
  const world = {
    answer: ({ method, target, id }: { method: string; target: string; id: string }, origin: string) =>
      byOrigin.get(origin)?.take(method, target, id) ?? AWAY,
    isWell: () => true,
  }
  const sidecar = new SimulatedSidecar(config, world, new Tally(['a'], 1_000), virtual, seeded(11))
  return ({ method, path, timeout, bytes, id }) =>
    new Promise((resolve) => {
      const limits = { leavesAfterMs: timeout * 1000, clientTimeoutMs: undefined, jobLeftMs: undefined }
      const ask = { id, method, path, target: path, bodyBytes: bytes, stalls: false, ...limits }
      sidecar.ask('a', ask, ({ outcome, body }) =>
        resolve(typeof outcome === 'number' ? { status: outcome, text: body } : NOTHING),
      )
    })
}

type VirtualClient = Client & { readonly made: () => number }

/** @param patience seconds for which the client waits where the fault's own client does not say. */
function clientOf(send: Caller, clock: Clock, patience: number): VirtualClient {
  let calls = 0
  return {
    made: () => calls,
    call: ({ method = 'GET', path = '/', timeout = PATIENCE, body }) => {
      calls += 1
      return send({ method, path, timeout: Math.min(timeout, patience), bytes: body?.bytes ?? 0, id: String(calls) })
    },
    ...counter(clock),
    close: () => {},
  }
}

/** How a client fared, and the number of calls that it made. */
export type VirtualScore = Score & { readonly made: number }

export async function playVirtually(fault: Fault, way: Way, patience: number): Promise<VirtualScore> {
  const virtual = new VirtualClock(0)
  const clock = inSeconds(virtual)
  const upstreams = Array.from({ length: fault.replicas ?? 1 }, (_, n) => upstreamOf(fault, n, clock, n))
  const [upstream] = upstreams
  if (upstream === undefined) throw new Error(`${fault.name} has no upstream`)
  const send = way === 'direct' ? directly(upstreams, clock) : throughSidecar(upstreams, virtual)
  const client = clientOf(send, clock, patience)
  const run = { clock, client, upstream, pause: upstream.pause }
  const played = Promise.all([fault.play(run), fault.happens?.(run)])
  await virtual.run()
  await played
  return {
    ...client.tally(),
    made: client.made(),
    calls: upstreams.reduce((sum, { calls }) => sum + calls(), 0),
    repeatedPosts: upstreams.reduce((sum, { repeatedPosts }) => sum + repeatedPosts(), 0),
  }
}

import { createLog } from '../../src/control/log/log.ts'
import type { FaultCode } from '../../src/errors.ts'
import type { Exchange } from '../../src/policy/exchange.ts'
import { seeded } from '../../src/simulate/random.ts'
import { sliceOf, Tally } from '../../src/simulate/report/tally.ts'
import { SimulatedSidecar, type World } from '../../src/simulate/sidecar.ts'
import { type Answer, type SimulatedReply, simulatedReply } from '../../src/simulate/simulated-call.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { configOf } from './support.ts'

const EPOCH_MS = Date.UTC(2026, 0, 1)

/** Upstreams with every fault that a log can tell: an endpoint that is away, one that stalls, refusals with Retry-After. */
class FaultyWorld implements World {
  readonly #clock: VirtualClock
  readonly #random: () => number

  constructor(clock: VirtualClock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  answer({ headers }: Exchange, origin: string): Answer {
    const now = this.#clock.now()
    const afterMs = 5 + 40 * this.#random() ** 3
    const chance = this.#random()
    const isRest = headers.includes('range')
    if (origin.endsWith('a') && now > 40_000 && now < 70_000) return refused('connect_refused')
    if (now > 120_000 && now < 126_000) return simulatedReply(503, afterMs)
    if (origin.endsWith('b') && now > 160_000 && now < 170_000) return { kind: 'silence', connectMs: 0, in: 'waiting' }
    if (chance < 0.03) return simulatedReply(500, afterMs)
    if (chance < 0.04) return asking(simulatedReply(chance < 0.035 ? 429 : 503, afterMs), 1 + Math.floor(now % 2))
    if (chance < 0.05) return refused('reset', afterMs)
    const whole = simulatedReply(isRest ? 206 : 200, afterMs)
    if (isRest) return { ...whole, headers: REST, body: 'yz', bodyMs: 3 }
    if (chance < 0.06) return { ...whole, bodyMs: 30, bodyEnd: 'body_truncated' }
    if (chance < 0.07) return { ...whole, headers: RESUMABLE, body: 'x', bodyMs: 30, bodyEnd: 'body_truncated' }
    return { ...whole, bodyMs: chance < 0.3 ? 20 * this.#random() : 0 }
  }

  isWell(): boolean {
    return true
  }
}

const RESUMABLE = ['content-length', '3', 'accept-ranges', 'bytes', 'etag', '"1"']
const REST = ['content-length', '2', 'content-range', 'bytes 1-2/3', 'etag', '"1"']

const refused = (code: FaultCode, afterMs = 0): Answer => ({ kind: 'fault', connectMs: 0, afterMs, code })

const asking = (reply: SimulatedReply, seconds: number): SimulatedReply => ({
  ...reply,
  headers: [...reply.headers, 'retry-after', String(seconds)],
})

/** Lines of a sidecar's access log over 250 s with `requests` requests. The same every time. */
export async function faultyRun(upstream: object, requests: number): Promise<string[]> {
  const config = configOf({ upstreams: { api: upstream } })
  const clock = new VirtualClock(EPOCH_MS)
  const lines: string[] = []
  const settings = { level: 'info', access: true, service: 'test' } as const
  const log = createLog(settings, clock, { write: (line) => void lines.push(line) })
  const random = seeded(7)
  const world = new FaultyWorld(clock, random)
  const tally = new Tally(['api'], sliceOf(250_000))
  const sidecar = new SimulatedSidecar(config, world, tally, clock, seeded(8), (event, at) => log.record(event, at))
  const limits = { bodyBytes: 0, stalls: false, clientTimeoutMs: undefined, jobLeftMs: undefined }
  for (let n = 0; n < requests; n += 1)
    clock.after((250_000 * (n + random())) / requests, () => {
      const method = n % 10 === 0 ? 'POST' : 'GET'
      const path = `/things/${n % 700}`
      const leavesAfterMs = n % 97 === 0 ? 8 : Number.POSITIVE_INFINITY
      sidecar.ask('api', { id: String(n), method, path, target: `${path}?${n}`, leavesAfterMs, ...limits })
    })
  clock.after(250_000, () => sidecar.finish())
  await clock.run()
  log.flush()
  return lines
}

import type { Clock } from '../clock.ts'
import type { Exchange } from '../policy/exchange.ts'
import type { JobReports } from './recorded/job-reports.ts'
import { normal } from './random.ts'
import type { Scenario, ScriptedUpstream as Script } from './scenario.ts'
import type { World } from './sidecar.ts'
import { type Answer, simulatedReply } from './simulated-call.ts'
import { Workers } from './workers.ts'

type Fault = Script['faults'][number]
type Spread = Script['latency']

/** Standard normal deviate of the 99th percentile. */
const P99 = 2.326_348

/** Answers calls by a scenario: its latencies, its free workers, and the faults of the moment. */
export class ScriptedWorld implements World {
  readonly #scenario: Scenario
  readonly #workers: ReadonlyMap<string, Workers>
  readonly #reports: JobReports
  readonly #clock: Clock
  readonly #random: () => number

  constructor(scenario: Scenario, reports: JobReports, clock: Clock, random: () => number) {
    this.#scenario = scenario
    this.#reports = reports
    this.#clock = clock
    this.#random = random
    const limited = Object.entries(scenario.upstreams).flatMap(([name, { capacity }]) =>
      capacity === undefined ? [] : [[name, new Workers(capacity.workers, capacity.queue)] as const],
    )
    this.#workers = new Map(limited)
  }

  answer(exchange: Exchange): Answer {
    const { upstream } = exchange.route
    const script = this.#scenario.upstreams[upstream]
    if (script === undefined) return { kind: 'fault', connectMs: 0, afterMs: 0, code: 'dns_error' }
    const fault = this.#faultNow(script)
    const latencyMs = this.#drawn(script.latency)
    switch (fault?.as) {
      case 'refused':
        this.#workers.get(upstream)?.restart()
        return { kind: 'fault', connectMs: 0, afterMs: 0, code: 'connect_refused' }
      case 'silent':
        return { kind: 'silence', connectMs: 0, in: 'waiting' }
      case 'error':
        return simulatedReply(fault.status, latencyMs)
      default:
        return this.#worked(script, fault, latencyMs, exchange)
    }
  }

  isWell(upstream: string): boolean {
    const script = this.#scenario.upstreams[upstream]
    const as = script === undefined ? 'refused' : this.#faultNow(script)?.as
    return as !== 'refused' && as !== 'silent' && as !== 'error'
  }

  #worked(script: Script, fault: Fault | undefined, latencyMs: number, exchange: Exchange): Answer {
    const neededMs = fault?.as === 'slow' ? latencyMs * fault.factor : latencyMs
    const now = this.#clock.now()
    const workers = this.#workers.get(exchange.route.upstream)
    const doneAt = workers === undefined ? now + neededMs : workers.take(now, neededMs)
    if (doneAt === undefined) return simulatedReply(503, 0)
    const body = this.#reports.body(fault?.as === 'failedJobs' ? 'failed' : 'completed', exchange)
    const bodyMs = script.body === undefined ? 0 : this.#drawn(script.body)
    return { ...simulatedReply(200, doneAt - now, body), bodyMs }
  }

  /** The first fault of this moment that strikes. */
  #faultNow({ faults }: Script): Fault | undefined {
    const now = this.#clock.now()
    return faults.find(({ from, lasts = Number.POSITIVE_INFINITY, share }) => {
      if (now < from || now >= from + lasts) return false
      return share === 1 || this.#random() < share
    })
  }

  #drawn({ p50, p99 }: Spread): number {
    if (p50 <= 0 || p99 <= p50) return p50
    return p50 * Math.exp((Math.log(p99 / p50) / P99) * normal(this.#random))
  }
}

import type { FaultCode } from '../../errors.ts'
import { Histogram } from '../../control/live/histogram.ts'
import { Endings, OUTCOMES, type Outcome } from './outcomes.ts'
import type { BreakerMark } from '../recorded/log.ts'

/** Percentiles of the time from the arrival to the end of the response, in ms; undefined without requests. */
type Percentiles = {
  readonly p50: number | undefined
  readonly p90: number | undefined
  readonly p99: number | undefined
}

type UpstreamFigures = {
  readonly name: string
  readonly requests: number
  readonly calls: number
  /** By slice of time. */
  readonly callsOverTime: readonly number[]
  /** Largest number of open breakers at once, by slice of time. */
  readonly openOverTime: readonly number[]
  /** Number of openings, and total open time in ms. */
  readonly opened: number
  readonly openMs: number
  readonly clientMs: Percentiles
}

export type Figures = {
  readonly requests: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** By status and reason. */
  readonly endings: Readonly<Record<string, number>>
  /** Attempts beyond the first, and requests with any. */
  readonly retries: number
  readonly retried: number
  readonly calls: number
  readonly clientMs: Percentiles
  readonly upstreams: readonly UpstreamFigures[]
  /** In ms. */
  readonly sliceMs: number
  readonly outcomesOverTime: Readonly<Record<Outcome, readonly number[]>>
  /** The first changes of breakers. */
  readonly breakers: readonly BreakerMark[]
}

/** Largest number of breaker changes kept: enough for one sidecar; those of a fleet are only counted. */
const MAX_MARKS = 1_000

class UpstreamTally {
  readonly clientMs = new Histogram(1.02)
  readonly callsOverTime: number[] = []
  readonly openOverTime: number[] = []
  requests = 0
  calls = 0
  opened = 0
  openMs = 0
  #openNow = 0
  #since = 0

  /** Advances the breakers' times to a moment. */
  pass(atMs: number, sliceMs: number): void {
    this.openMs += this.#openNow * (atMs - this.#since)
    for (let slice = Math.floor(this.#since / sliceMs); slice <= Math.floor(atMs / sliceMs); slice += 1)
      this.openOverTime[slice] = Math.max(this.openOverTime[slice] ?? 0, this.#openNow)
    this.#since = atMs
  }

  turn(by: 1 | -1, atMs: number, sliceMs: number): void {
    this.pass(atMs, sliceMs)
    this.#openNow += by
    if (by > 0) this.opened += 1
    this.pass(atMs, sliceMs)
  }
}

/** Adds up a run, simulated or recorded. Times in ms since the first arrival. */
export class Tally {
  readonly #sliceMs: number
  readonly #clientMs = new Histogram(1.02)
  readonly #upstreams = new Map<string, UpstreamTally>()
  readonly #outcomes = byOutcome(() => 0)
  readonly #overTime = byOutcome((): number[] => [])
  readonly #endings = new Map<string, number>()
  readonly #marks: BreakerMark[] = []
  readonly endings = new Endings()
  #requests = 0
  #retries = 0
  #retried = 0
  #endMs = 0

  /** @param upstreams in the order in which they are shown. */
  constructor(upstreams: readonly string[], sliceMs: number) {
    for (const name of upstreams) this.#upstreams.set(name, new UpstreamTally())
    this.#sliceMs = sliceMs
  }

  /** A request has ended. */
  request(request: {
    readonly number: number
    readonly upstream: string
    readonly status: number
    readonly reason: FaultCode | undefined
    readonly attempts: number
    readonly totalMs: number
    readonly atMs: number
  }): void {
    const { upstream, status, reason, attempts, totalMs, atMs } = request
    const outcome = this.endings.set(request.number, status, reason, attempts)
    const ending = reason === undefined ? String(status) : `${status} ${reason}`
    this.#requests += 1
    this.#outcomes[outcome] += 1
    this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1)
    count(this.#overTime[outcome], this.#slice(atMs))
    this.#retries += Math.max(0, attempts - 1)
    if (attempts > 1) this.#retried += 1
    this.#clientMs.add(totalMs)
    const of = this.#upstreams.get(upstream)
    if (of === undefined) return
    of.requests += 1
    of.clientMs.add(totalMs)
  }

  /** A call was made. */
  call(upstream: string, atMs: number): void {
    const of = this.#upstreams.get(upstream)
    if (of === undefined) return
    of.calls += 1
    count(of.callsOverTime, this.#slice(atMs))
  }

  breaker(mark: BreakerMark): void {
    const of = this.#upstreams.get(mark.upstream)
    if (of === undefined) return
    if (mark.to === 'open') of.turn(1, mark.atMs, this.#sliceMs)
    else if (mark.from === 'open') of.turn(-1, mark.atMs, this.#sliceMs)
    if (this.#marks.length < MAX_MARKS) this.#marks.push(mark)
  }

  figures(): Figures {
    const upstreams = [...this.#upstreams].map(([name, of]) => {
      of.pass(this.#endMs, this.#sliceMs)
      const { requests, calls, callsOverTime, openOverTime, opened, openMs } = of
      const clientMs = percentiles(of.clientMs)
      return {
        name,
        requests,
        calls,
        callsOverTime: filled(callsOverTime),
        openOverTime: filled(openOverTime),
        opened,
        openMs,
        clientMs,
      }
    })
    return {
      requests: this.#requests,
      outcomes: this.#outcomes,
      endings: Object.fromEntries([...this.#endings].sort(([, a], [, b]) => b - a)),
      retries: this.#retries,
      retried: this.#retried,
      calls: upstreams.reduce((sum, { calls }) => sum + calls, 0),
      clientMs: percentiles(this.#clientMs),
      upstreams,
      sliceMs: this.#sliceMs,
      outcomesOverTime: byOutcome((outcome) => filled(this.#overTime[outcome])),
      breakers: this.#marks,
    }
  }

  #slice(atMs: number): number {
    this.#endMs = Math.max(this.#endMs, atMs)
    return Math.max(0, Math.floor(atMs / this.#sliceMs))
  }
}

/** Approximate number of slices of time in a plot. */
const SLICES = 200

/** A length of 1, 2 or 5 times a power of ten that makes about two hundred slices. */
export function sliceOf(wholeMs: number): number {
  const least = Math.max(1, wholeMs / SLICES)
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5].find((step) => step * power >= least) ?? 10)
}

function byOutcome<V>(make: (outcome: Outcome) => V): Record<Outcome, V> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, make(outcome)])) as Record<Outcome, V>
}

function count(slices: number[], slice: number): void {
  slices[slice] = (slices[slice] ?? 0) + 1
}

const filled = (slices: readonly number[]) => Array.from(slices, (value) => value ?? 0)

const percentiles = (histogram: Histogram): Percentiles => ({
  p50: histogram.percentile(0.5),
  p90: histogram.percentile(0.9),
  p99: histogram.percentile(0.99),
})

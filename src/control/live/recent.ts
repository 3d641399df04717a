import { type Clock, isoTime } from '../../clock.ts'
import type { Sample, UpstreamSample } from '../../dashboard/shapes.ts'
import { Histogram } from './histogram.ts'
import { isUnacceptable } from '../../errors.ts'
import type { Event, RequestEvent, UpstreamSnapshot } from '../../events.ts'
import { isSaved, outcomeOf } from '../../incidents/outcome.ts'
import { BreakerTimes } from './breaker-times.ts'
import { isFailure } from './failures.ts'

/** Totals since the start. */
type Totals = {
  requests: number
  failed: number
  refused: number
  saved: number
  attempts: number
  /** Attempts answered with 429. */
  limited: number
  retries: number
  resumed: number
  unresumed: number
}

type Tally = {
  readonly totals: Totals
  /** Totals at the beginning of the second. */
  before: Totals
  readonly second: Histogram
  readonly breakers: BreakerTimes
  /** Gauges at the end of the last second. */
  gauges: Gauges
  /** The last minute in six slots of ten seconds. */
  readonly minute: readonly Histogram[]
}

type Gauges = Pick<UpstreamSample, 'in_flight' | 'queued' | 'held' | 'retry_budget'>

/** Takes each second as it closes. @param beganAt wall-clock ms. @param durations of its requests, valid for the call only. */
type OnSecond = (
  beganAt: number,
  upstreams: ReadonlyMap<string, { sample: UpstreamSample; durations: Histogram }>,
) => void

const SECOND_MS = 1_000
const SLOT_MS = 10_000
const SLOTS = 6
/** Five minutes. */
const MAX_SAMPLES = 300

const NOTHING: Totals = {
  requests: 0,
  failed: 0,
  refused: 0,
  saved: 0,
  attempts: 0,
  limited: 0,
  retries: 0,
  resumed: 0,
  unresumed: 0,
}
/** Growth of buckets: a percentile on the page may be off by a twentieth. */
const GROWTH = 1.1

/**
 * History second by second. A second closes at its end, whether or not anybody looks: gauges are what they were then, and
 * breakers have the states of their changes. Seconds in which the process was paused keep the gauges from before.
 */
export class Recent {
  readonly #upstreams: () => readonly UpstreamSnapshot[]
  readonly #clock: Clock
  readonly #onSecond: OnSecond
  readonly #tallies = new Map<string, Tally>()
  readonly #samples: Sample[] = []
  readonly #stop: () => void
  /** Monotonic ms of the beginning of the present second. */
  #since: number

  constructor(upstreams: () => readonly UpstreamSnapshot[], clock: Clock, onSecond: OnSecond) {
    this.#upstreams = upstreams
    this.#clock = clock
    this.#onSecond = onSecond
    this.#since = clock.now() - (clock.wallNow() % SECOND_MS)
    this.#stop = clock.everySecond(() => this.#turn())
  }

  record(event: Event): void {
    switch (event.kind) {
      case 'request':
        if (event.ref !== undefined) countRequest(this.#tallyOf(event.ref.upstream), event)
        return
      case 'attempt':
        countAttempt(this.#tallyOf(event.ref.upstream).totals, event.status)
        return
      case 'retry':
        this.#tallyOf(event.ref.upstream).totals.retries += 1
        return
      case 'resume':
        this.#tallyOf(event.ref.upstream).totals[event.resumed ? 'resumed' : 'unresumed'] += 1
        return
      case 'breaker':
        this.#tallyOf(event.upstream).breakers.record(event, this.#clock.now())
        return
    }
  }

  /** The last five minutes, oldest first. */
  samples(): readonly Sample[] {
    this.#turn()
    return this.#samples
  }

  totalsOf(upstream: string): Readonly<Totals> {
    return this.#tallies.get(upstream)?.totals ?? NOTHING
  }

  /** Durations of the last minute's requests. */
  latencyOf(upstream: string): Histogram {
    this.#turn()
    const all = new Histogram(GROWTH)
    const tally = this.#tallies.get(upstream)
    for (const slot of tally === undefined ? [] : [...tally.minute, tally.second]) all.addAll(slot)
    return all
  }

  close(): void {
    this.#stop()
    this.#turn()
  }

  #tallyOf(upstream: string): Tally {
    this.#turn()
    let tally = this.#tallies.get(upstream)
    if (tally === undefined) {
      tally = freshTally()
      this.#tallies.set(upstream, tally)
    }
    return tally
  }

  /** Closes past seconds; after a pause only the last five minutes. */
  #turn(): void {
    const now = this.#clock.now()
    const over = Math.floor((now - this.#since) / SECOND_MS)
    if (over < 1) return
    const skipped = Math.max(0, over - MAX_SAMPLES)
    if (skipped > 0) this.#samples.length = 0
    const snapshots = this.#upstreams()
    for (let i = skipped; i < over; i += 1) {
      const begunAt = this.#since + (i === skipped ? 0 : i * SECOND_MS)
      this.#close(begunAt, this.#since + (i + 1) * SECOND_MS, now, snapshots, i === over - 1)
    }
    this.#since += over * SECOND_MS
  }

  /** @param isLast whether the snapshots are of its end; those of earlier seconds are not known. */
  #close(from: number, at: number, now: number, snapshots: readonly UpstreamSnapshot[], isLast: boolean): void {
    const wallAt = this.#clock.wallNow() - (now - at)
    const closed = new Map<string, { sample: UpstreamSample; durations: Histogram }>()
    for (const snapshot of snapshots) {
      let tally = this.#tallies.get(snapshot.name)
      if (tally === undefined) {
        tally = freshTally()
        this.#tallies.set(snapshot.name, tally)
      }
      closed.set(snapshot.name, { sample: sampleOf(tally, snapshot, from, at, isLast), durations: tally.second })
    }
    const upstreams = Object.fromEntries([...closed].map(([name, { sample }]) => [name, sample]))
    this.#samples.push({ at: isoTime(wallAt), upstreams })
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift()
    this.#onSecond(wallAt - SECOND_MS, closed)
    for (const name of closed.keys()) roll(this.#tallies.get(name), at)
  }
}

const freshTally = (): Tally => ({
  totals: { ...NOTHING },
  before: NOTHING,
  second: new Histogram(GROWTH),
  breakers: new BreakerTimes(),
  gauges: { in_flight: 0, queued: 0, held: 0, retry_budget: 0 },
  minute: Array.from({ length: SLOTS }, () => new Histogram(GROWTH)),
})

function countRequest({ totals, second }: Tally, event: RequestEvent): void {
  const { status, reason, attempts, history, totalMs } = event
  totals.requests += 1
  if (isFailure(event)) totals.failed += 1
  const outcome = outcomeOf(status, reason, attempts)
  if (outcome === 'refused' || isTurnedAway(event)) totals.refused += 1
  if (isSaved(outcome, attempts, history)) totals.saved += 1
  second.add(totalMs)
}

/** Whether its client sent what the sidecar does not accept: nothing of that failed at the upstream. */
const isTurnedAway = ({ attempts, reason }: RequestEvent) =>
  attempts === 0 && reason !== undefined && isUnacceptable(reason)

function sampleOf(tally: Tally, snapshot: UpstreamSnapshot, from: number, at: number, isLast: boolean): UpstreamSample {
  const { totals, before, second, breakers } = tally
  const { inFlight, queued, held, retryBudget } = snapshot
  if (isLast) tally.gauges = { in_flight: inFlight, queued, held, retry_budget: retryBudget }
  const met = breakers.close(from, at, isLast ? snapshot.breakers : undefined)
  return {
    requests: totals.requests - before.requests,
    failed: totals.failed - before.failed,
    refused: totals.refused - before.refused,
    saved: totals.saved - before.saved,
    attempts: totals.attempts - before.attempts,
    limited: totals.limited - before.limited,
    retries: totals.retries - before.retries,
    resumes: totals.resumed - before.resumed,
    ...tally.gauges,
    p50_ms: percentile(second, 0.5),
    p90_ms: percentile(second, 0.9),
    p99_ms: percentile(second, 0.99),
    breaker: met.worst,
    open_ms: Math.round(met.openMs),
  }
}

function roll(tally: Tally | undefined, at: number): void {
  if (tally === undefined) return
  const slot = tally.minute[Math.floor(at / SLOT_MS) % SLOTS]
  if (Math.floor(at / SLOT_MS) !== Math.floor((at - SECOND_MS) / SLOT_MS)) slot?.clear()
  slot?.addAll(tally.second)
  tally.second.clear()
  tally.before = { ...tally.totals }
}

/** ms to a hundredth; null without a value. */
export function percentile(histogram: Histogram | undefined, share: number): number | null {
  const ms = histogram?.percentile(share)
  return ms === undefined ? null : Math.round(ms * 100) / 100
}

function countAttempt(totals: Totals, status: number | undefined): void {
  totals.attempts += 1
  if (status === 429) totals.limited += 1
}

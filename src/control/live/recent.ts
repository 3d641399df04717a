import { type Clock, isoTime } from '../../clock.ts'
import type { Sample, UpstreamSample } from '../../dashboard/shapes.ts'
import { Histogram } from './histogram.ts'
import type { BreakerState, Event, UpstreamSnapshot } from '../../events.ts'
import { isFailure } from './failures.ts'

/** Totals since the start. */
type Totals = {
  requests: number
  failed: number
  attempts: number
  retries: number
  resumed: number
  unresumed: number
}

type Tally = {
  readonly totals: Totals
  /** Totals at the beginning of the second. */
  before: Totals
  readonly second: Histogram
  /** The last minute in six slots of ten seconds. */
  readonly minute: readonly Histogram[]
}

const SECOND_MS = 1_000
const SLOT_MS = 10_000
const SLOTS = 6
/** Five minutes. */
const MAX_SAMPLES = 300

const NOTHING: Totals = { requests: 0, failed: 0, attempts: 0, retries: 0, resumed: 0, unresumed: 0 }
/** Growth of buckets: a percentile on the page may be off by a twentieth. */
const GROWTH = 1.1

const BEST_FIRST: readonly BreakerState[] = ['closed', 'half-open', 'open']

/**
 * Recent history second by second, for the page. Seconds are closed when something is recorded or asked for after them, so that
 * there is no timer while nobody looks.
 */
export class Recent {
  readonly #upstreams: () => readonly UpstreamSnapshot[]
  readonly #clock: Clock
  readonly #tallies = new Map<string, Tally>()
  readonly #samples: Sample[] = []
  /** Monotonic ms of the beginning of the present second. */
  #since: number

  constructor(upstreams: () => readonly UpstreamSnapshot[], clock: Clock) {
    this.#upstreams = upstreams
    this.#clock = clock
    this.#since = clock.now()
  }

  record(event: Event): void {
    switch (event.kind) {
      case 'request': {
        if (event.ref === undefined) return
        const tally = this.#tallyOf(event.ref.upstream)
        tally.totals.requests += 1
        if (isFailure(event)) tally.totals.failed += 1
        tally.second.add(event.totalMs)
        return
      }
      case 'attempt':
        this.#tallyOf(event.ref.upstream).totals.attempts += 1
        return
      case 'retry':
        this.#tallyOf(event.ref.upstream).totals.retries += 1
        return
      case 'resume':
        this.#tallyOf(event.ref.upstream).totals[event.resumed ? 'resumed' : 'unresumed'] += 1
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

  #tallyOf(upstream: string): Tally {
    this.#turn()
    let tally = this.#tallies.get(upstream)
    if (tally === undefined) {
      const minute = Array.from({ length: SLOTS }, () => new Histogram(GROWTH))
      tally = { totals: { ...NOTHING }, before: NOTHING, second: new Histogram(GROWTH), minute }
      this.#tallies.set(upstream, tally)
    }
    return tally
  }

  /** Closes past seconds; after a long quiet time only the last five minutes. */
  #turn(): void {
    const now = this.#clock.now()
    const over = Math.floor((now - this.#since) / SECOND_MS)
    if (over < 1) return
    const skipped = Math.max(0, over - MAX_SAMPLES)
    if (skipped > 0) this.#samples.length = 0
    const snapshots = this.#upstreams()
    for (let i = skipped; i < over; i += 1) this.#close(this.#since + (i + 1) * SECOND_MS, now, snapshots)
    this.#since += over * SECOND_MS
  }

  #close(at: number, now: number, snapshots: readonly UpstreamSnapshot[]): void {
    const wallAt = this.#clock.wallNow() - (now - at)
    const upstreams = Object.fromEntries(snapshots.map((snapshot) => [snapshot.name, this.#sampleOf(snapshot, at)]))
    this.#samples.push({ at: isoTime(wallAt), upstreams })
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift()
  }

  #sampleOf(snapshot: UpstreamSnapshot, at: number): UpstreamSample {
    const tally = this.#tallies.get(snapshot.name)
    const { totals = NOTHING, before = NOTHING, second } = tally ?? {}
    const sample: UpstreamSample = {
      requests: totals.requests - before.requests,
      failed: totals.failed - before.failed,
      attempts: totals.attempts - before.attempts,
      retries: totals.retries - before.retries,
      resumes: totals.resumed - before.resumed,
      in_flight: snapshot.inFlight,
      queued: snapshot.queued,
      held: snapshot.held,
      retry_budget: snapshot.retryBudget,
      p50_ms: percentile(second, 0.5),
      p90_ms: percentile(second, 0.9),
      p99_ms: percentile(second, 0.99),
      breaker: BEST_FIRST.find((state) => snapshot.breakers.some((one) => one.state === state)) ?? 'closed',
    }
    if (tally !== undefined) this.#roll(tally, at)
    return sample
  }

  #roll(tally: Tally, at: number): void {
    const slot = tally.minute[Math.floor(at / SLOT_MS) % SLOTS]
    if (Math.floor(at / SLOT_MS) !== Math.floor((at - SECOND_MS) / SLOT_MS)) slot?.clear()
    slot?.addAll(tally.second)
    tally.second.clear()
    tally.before = { ...tally.totals }
  }
}

/** ms to a hundredth; null without a value. */
export function percentile(histogram: Histogram | undefined, share: number): number | null {
  const ms = histogram?.percentile(share)
  return ms === undefined ? null : Math.round(ms * 100) / 100
}

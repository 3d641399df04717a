import { type Clock, Watchdog } from '../../clock.ts'
import type { Emit, Event, JobEndOutcome, JobState, RequestEvent, RouteRef } from '../../events.ts'
import { deadlineIn, type JobBook, type JobRecord, type KeptJob } from '../../job/book.ts'
import { jobKey } from '../../job/id.ts'
import { type JobLife, type JobStart, noteStatus } from '../../job/life.ts'

/** Reports in a row that the upstream does not know a job: a replica or a cache may not know it yet. */
const MAX_GONE = 3

/** Time in ms that the end of a job waits for the end of the request that reported it, so that the line has its figures. */
const TELL_WITHIN_MS = 1_000

/** An upstream's word for a job that somebody ended. */
const CANCELLED = /^(?:cancel|abort)/i

/** A request to cancel a job: `POST /jobs/7/cancel`, `POST /v1/jobs/7:cancel`, `POST /cancel/7`, `POST /runs/7/abort`. */
const CANCEL_PATH = /[/:](?:cancel|abort)(?:\/[^/]+)?$/i

/** A job whose life is known. */
type Living = KeptJob & { readonly life: JobLife }

/**
 * Follows jobs from their creation to their end: a fold over events that writes the book. Only jobs that were created here, or
 * that the store has, are followed.
 */
export class JobLedger {
  readonly #book: JobBook
  readonly #save: (record: JobRecord) => void
  readonly #clock: Clock
  readonly #emit: Emit
  /** One for each job that runs, or whose end is not told yet. */
  readonly #watched = new Map<string, Watchdog>()

  /** @param save writes a record to the store, in the background. */
  constructor(book: JobBook, save: (record: JobRecord) => void, clock: Clock, emit: Emit) {
    this.#book = book
    this.#save = save
    this.#clock = clock
    this.#emit = emit
    book.onPut = (kept) => this.#watch(kept)
  }

  record(event: Event): void {
    switch (event.kind) {
      case 'job_created':
        return this.#create(event)
      case 'job_reported': {
        const job = this.#find(event.ref, event.id)
        if (job !== undefined) this.#report(job, event)
        return
      }
      case 'request': {
        const job = event.job && event.ref && this.#find(event.ref, event.job.id)
        if (job !== undefined) this.#request(job, event)
        return
      }
    }
  }

  /** Tells the ends that still wait for a request. */
  close(): void {
    for (const [key, watchdog] of this.#watched) {
      watchdog.stop()
      const job = this.#living(key)
      if (job?.record.end !== undefined) this.#tell(job)
    }
    this.#watched.clear()
  }

  /**
   * A job that is named again goes on with its first deadline, unless it had failed: then it is begun anew. One that is completed
   * may be known to an idempotent upstream, or its id may be used again: the next report tells.
   */
  #create({ ref, id, inputs, deadlineMs, abandonedAfterMs }: Event & { readonly kind: 'job_created' }): void {
    const key = jobKey(ref.upstream, id)
    const known = this.#book.find(key)
    const end = known?.end?.outcome
    if (known?.origin !== undefined && end === 'abandoned') return this.#goOn(known)
    const isAnew = end === 'failed' || end === 'cancelled' || end === 'lost'
    const origin = { upstream: ref.upstream, route: ref.route, id, abandonedAfterMs }
    const startedAt = this.#clock.wallNow()
    const deadlineAt = deadlineMs === undefined ? undefined : startedAt + deadlineMs
    const start: JobStart = { inputs, origin, startedAt, deadlineAt, startedNow: this.#clock.now() }
    const before = this.#living(key)
    if (isAnew && before !== undefined) return this.#beginAnew(before, start)
    if (known?.origin === undefined)
      return this.#put({ ...(known ?? { id: key, inputs, startedAt, deadlineAt }), origin })
    if (end === 'completed' && before !== undefined) before.life.again = start
  }

  #beginAnew(before: Living, { startedNow, ...start }: JobStart): void {
    const { id } = before.record
    this.#tell(before)
    this.#book.remove(id)
    this.#put({ id, ...start }, this.#clock.now() - startedNow)
  }

  #report(
    reported: Living,
    { state, status, askedNow }: Pick<Event & { readonly kind: 'job_reported' }, 'state' | 'status' | 'askedNow'>,
  ): void {
    const job = this.#mended(reported, state, askedNow)
    const { life } = job
    this.#revive(job)
    this.#seen(life)
    life.gone = state === 'gone' ? life.gone + 1 : 0
    if (status !== undefined && state !== 'gone') noteStatus(life, status, this.#clock.wallNow())
    const isOver = job.record.end !== undefined && job.record.end.outcome !== 'abandoned'
    if (isOver) return
    if (state === 'completed') this.#end(job, 'completed')
    else if (state === 'failed')
      this.#end(job, life.isCancelAsked || CANCELLED.test(status ?? '') ? 'cancelled' : 'failed')
    else if (life.gone === MAX_GONE) this.#end(job, life.isCancelAsked ? 'cancelled' : 'lost')
  }

  /**
   * A job that is over, as a newer report has it: an upstream may run a failed job again, and complete one that it was asked to
   * cancel. A report that was asked for before the end was told is out of date.
   */
  #mended(job: Living, state: JobState, askedNow: number): Living {
    const { record, life } = job
    const outcome = record.end?.outcome
    if (outcome === undefined || askedNow <= (life.endedNow ?? Number.NEGATIVE_INFINITY)) return job
    const { again } = life
    const isUsedAgain = outcome === 'completed' && state === 'running' && isAskedAfter(again, askedNow)
    if (isUsedAgain) this.#beginAnew(job, again)
    const isRunAgain = state === 'running' || state === 'completed'
    const goesOn =
      ((outcome === 'failed' || outcome === 'lost') && isRunAgain) || (outcome === 'cancelled' && state === 'completed')
    if (goesOn) {
      this.#tell(job)
      this.#goOn(record)
    }
    return isUsedAgain || goesOn ? (this.#living(record.id) ?? job) : job
  }

  #request(job: Living, event: RequestEvent): void {
    const { life } = job
    this.#revive(job)
    this.#seen(life)
    life.attempts += event.attempts
    life.bytes += event.bytesIn + event.bytesOut
    if (event.job?.isPoll === true) life.polls += 1
    const isAccepted = event.reason === undefined && event.status >= 200 && event.status < 300
    if (isAccepted && job.record.end === undefined) {
      if (CANCEL_PATH.test(event.path)) life.isCancelAsked = true
      if (event.method === 'DELETE') this.#end(job, 'cancelled')
    }
    const ended = this.#living(job.record.id)
    if (ended !== undefined) this.#tell(ended)
  }

  #seen(life: JobLife): void {
    life.seenNow = this.#clock.now()
    life.seenAt = this.#clock.wallNow()
  }

  /** A job that somebody asks for again is abandoned no longer. */
  #revive({ record }: Living): void {
    if (record.end?.outcome === 'abandoned') this.#goOn(record)
  }

  #goOn(record: JobRecord): void {
    const { end: _, ...running } = record
    const life = this.#book.entry(record.id)?.life
    if (life !== undefined) {
      this.#seen(life)
      life.endedNow = undefined
    }
    this.#put(running)
  }

  #end({ record, life }: Living, outcome: JobEndOutcome): void {
    life.isTold = false
    life.endedNow = this.#clock.now()
    this.#put({ ...record, end: { outcome, at: this.#clock.wallNow() } })
  }

  /** @param ageMs of one that is not known; one that is keeps its age. */
  #put(record: JobRecord, ageMs = 0): void {
    this.#book.put(record, ageMs)
    this.#save(record)
  }

  #watch({ record, life }: KeptJob): void {
    const { id } = record
    if (life === undefined || (record.end !== undefined && life.isTold)) return
    const known = this.#watched.get(id)
    const watchdog =
      known ??
      new Watchdog(
        this.#clock,
        () => this.#dueAt(id),
        () => this.#late(id),
      )
    this.#watched.set(id, watchdog)
    watchdog.watch()
  }

  /** Monotonic ms at which the job has to be looked at; at once when it was forgotten. */
  #dueAt(key: string): number {
    const job = this.#living(key)
    if (job === undefined) return this.#clock.now()
    const { life } = job
    if (life.endedNow !== undefined) return life.endedNow + TELL_WITHIN_MS
    return Math.min(deadlineIn(job) ?? Number.POSITIVE_INFINITY, abandonedAt(job))
  }

  #late(key: string): void {
    const job = this.#living(key)
    if (job !== undefined && job.record.end === undefined) {
      const isPastDeadline = (deadlineIn(job) ?? Number.POSITIVE_INFINITY) <= this.#clock.now()
      const unasked = job.life.isCancelAsked ? 'cancelled' : 'abandoned'
      this.#end(job, isPastDeadline ? 'deadline' : unasked)
    }
    const ended = this.#living(key)
    if (ended === undefined) this.#unwatch(key)
    else this.#tell(ended)
  }

  #tell({ record, life, startedNow }: Living): void {
    const { origin, end, id } = record
    if (life.isTold || origin === undefined || end === undefined) return
    life.isTold = true
    this.#unwatch(id)
    const { upstream, route } = origin
    this.#emit({
      kind: 'job_ended',
      ref: { upstream, route },
      id: origin.id,
      outcome: end.outcome,
      durationMs: (life.endedNow ?? startedNow) - startedNow,
      polls: life.polls,
      attempts: life.attempts,
      bytes: life.bytes,
      statuses: life.statuses.map(({ status }) => status),
    })
  }

  #unwatch(key: string): void {
    this.#watched.get(key)?.stop()
    this.#watched.delete(key)
  }

  #find({ upstream }: Pick<RouteRef, 'upstream'>, id: string): Living | undefined {
    return this.#book.size === 0 ? undefined : this.#living(jobKey(upstream, id))
  }

  #living(key: string): Living | undefined {
    const job = this.#book.entry(key)
    return job?.life === undefined ? undefined : { ...job, life: job.life }
  }
}

const isAskedAfter = (start: JobStart | undefined, askedNow: number): start is JobStart =>
  start !== undefined && askedNow >= start.startedNow

const abandonedAt = ({ record, life }: Living) =>
  life.seenNow + (record.origin?.abandonedAfterMs ?? Number.POSITIVE_INFINITY)

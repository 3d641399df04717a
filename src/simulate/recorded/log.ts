/** Reads an access log line by line: requests, times and results. */

import { type FaultCode, isFaultCode } from '../../errors.ts'
import type { BreakerState, RouteRef } from '../../events.ts'
import { Columns, Interned } from './columns.ts'
import {
  attemptOf,
  type Fields,
  number,
  parsed,
  type RecordedAttempt,
  stateOf,
  text,
  textOrNone,
} from './log-fields.ts'
import { type Place, placeAt, withoutPrefix } from './place.ts'
import { Provenance } from './provenance.ts'

export type RecordedRequest = {
  readonly row: number
  /** ms since the first arrival in the log. */
  readonly arrivalMs: number
  /** Upstream and route in the recorded configuration. */
  readonly ref: RouteRef
  readonly method: string
  /** Without the prefix of the shared listener. */
  readonly path: string
  readonly status: number
  readonly reason: FaultCode | undefined
  readonly attempts: number
  readonly queueMs: number
  readonly connectMs: number
  /** undefined when no response head was sent. */
  readonly firstByteMs: number | undefined
  readonly totalMs: number
  readonly bytesIn: number
  /** End of a job that the response reported. */
  readonly job: 'failed' | 'completed' | undefined
}

/** A call of the recorded run. */
export type RecordedCall = {
  readonly request: RecordedRequest
  readonly attempts: readonly RecordedAttempt[]
  /** Index of the attempt, from 0. */
  readonly k: number
}

/** A breaker's change of state, in ms since the first arrival. */
export type BreakerMark = {
  readonly atMs: number
  readonly upstream: string
  /** undefined for the upstream's own. */
  readonly route: string | undefined
  /** undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  readonly from: BreakerState
  readonly to: BreakerState
  readonly cause: string | undefined
  /** Time in ms for which it rejects; undefined unless it opened. */
  readonly openMs: number | undefined
}

const JOBS = [undefined, 'failed', 'completed'] as const

export class RecordedLog {
  readonly #rows = new Columns([
    'arrival',
    'place',
    'method',
    'status',
    'reason',
    'attempts',
    'queue',
    'connect',
    'firstByte',
    'total',
    'bytesIn',
    'job',
  ])
  readonly #paths: string[] = []
  readonly #places = new Interned<Place>()
  readonly #words = new Interned<string>()
  readonly #histories = new Map<number, readonly RecordedAttempt[]>()
  readonly #marks: BreakerMark[] = []
  #order: Uint32Array = new Uint32Array(0)
  #upstreams: readonly string[] = []
  #firstArrival = 0
  #lastEnd = 0
  /** Numbers of incomplete lines, and of requests without an upstream, which no policy concerns. */
  readonly skipped = { unreadable: 0, noUpstream: 0 }
  /** Requests with several attempts, or with none that was answered, whose attempts are not listed. */
  untold = 0
  readonly provenance = new Provenance()

  /** Reads one line. Lines about anything but requests, breakers and the sidecar itself are skipped. */
  add(line: string): void {
    const isRequest = line.includes('"msg":"request"')
    if (!isRequest && this.provenance.reads(line)) {
      const about = parsed(line)
      if (about === undefined) return
      this.provenance.add(about)
      if (about.msg === 'configuration in force') this.#beginAnew(Date.parse(text(about.time)))
      return
    }
    if (!isRequest && !line.includes('"msg":"breaker ')) return
    const fields = parsed(line)
    const endedAt = Date.parse(text(fields?.time))
    if (fields === undefined || Number.isNaN(endedAt)) this.skipped.unreadable += 1
    else if (isRequest) this.#addRequest(fields, endedAt)
    else this.#addMark(fields, endedAt)
  }

  /** Called once, after the last line. */
  close(): void {
    this.#order = this.#rows.sortedBy('arrival')
    this.#firstArrival = this.length === 0 ? 0 : this.#rows.at(this.#order[0] ?? 0, 'arrival')
    this.#upstreams = [...new Set(this.#places.values.map(({ ref }) => ref.upstream))].sort()
  }

  get length(): number {
    return this.#rows.length
  }

  /** Wall-clock ms of the first arrival. */
  get epochMs(): number {
    return this.#firstArrival
  }

  /** From the first arrival to the last end, in ms. */
  get lengthMs(): number {
    return this.#lastEnd - this.#firstArrival
  }

  get upstreams(): readonly string[] {
    return this.#upstreams
  }

  /** Changes of breakers in the log. */
  get marks(): readonly BreakerMark[] {
    return this.#marks.map((mark) => ({ ...mark, atMs: mark.atMs - this.#firstArrival }))
  }

  /** The n-th request to arrive, from 0. */
  nth(n: number): RecordedRequest {
    return this.request(this.#order[n] ?? 0)
  }

  request(row: number): RecordedRequest {
    const rows = this.#rows
    const firstByteMs = rows.at(row, 'firstByte')
    const reason = this.#words.value(rows.at(row, 'reason')) ?? ''
    return {
      row,
      arrivalMs: rows.at(row, 'arrival') - this.#firstArrival,
      ref: this.#places.value(rows.at(row, 'place'))?.ref ?? { upstream: '', route: '' },
      method: this.#words.value(rows.at(row, 'method')) ?? '',
      path: this.#paths[row] ?? '',
      status: rows.at(row, 'status'),
      reason: isFaultCode(reason) ? reason : undefined,
      attempts: rows.at(row, 'attempts'),
      queueMs: rows.at(row, 'queue'),
      connectMs: rows.at(row, 'connect'),
      firstByteMs: Number.isNaN(firstByteMs) ? undefined : firstByteMs,
      totalMs: rows.at(row, 'total'),
      bytesIn: rows.at(row, 'bytesIn'),
      job: JOBS[rows.at(row, 'job')],
    }
  }

  /** Its attempts in order; none where the log does not list them. */
  attempts({ row, attempts, status, queueMs, firstByteMs }: RecordedRequest): readonly RecordedAttempt[] {
    const known = this.#histories.get(row)
    if (known !== undefined) return known
    if (attempts !== 1 || firstByteMs === undefined) return []
    return [
      {
        atMs: queueMs,
        ms: Math.max(0, firstByteMs - queueMs),
        outcome: status,
        early: false,
        endpoint: undefined,
        retryAfterMs: 0,
        brokeMs: undefined,
      },
    ]
  }

  #addRequest(fields: Fields, endedAt: number): void {
    const upstream = text(fields.upstream)
    const method = text(fields.method)
    if (upstream === '') {
      this.skipped.noUpstream += 1
      return
    }
    const total = number(fields.total_ms)
    this.#lastEnd = Math.max(this.#lastEnd, endedAt)
    const place = this.#placeOf({ upstream, route: text(fields.route) })
    const row = this.length
    this.#rows.push({
      arrival: endedAt - total,
      place,
      method: this.#word(method),
      status: number(fields.status),
      reason: this.#word(text(fields.reason)),
      attempts: number(fields.attempts),
      queue: number(fields.queue_ms),
      connect: number(fields.connect_ms),
      firstByte: typeof fields.first_byte_ms === 'number' ? fields.first_byte_ms : Number.NaN,
      total,
      bytesIn: number(fields.bytes_in),
      job: fields.job === 'failed' ? 1 : fields.job === 'completed' ? 2 : 0,
    })
    this.#paths.push(withoutPrefix(method, text(fields.path), this.#places.value(place)))
    this.#addHistory(row, fields)
  }

  #addHistory(row: number, { history, attempts, reason }: Fields): void {
    if (Array.isArray(history)) this.#histories.set(row, inOrder(history.flatMap(attemptOf)))
    else if (number(attempts) > 1 || (number(attempts) === 1 && isOwnAnswer(text(reason)))) this.untold += 1
  }

  #addMark(fields: Fields, at: number): void {
    const [from, to] = [stateOf(fields.from), stateOf(fields.to)]
    if (from === undefined || to === undefined) return
    const [route, endpoint, cause] = [fields.route, fields.endpoint, fields.cause].map(textOrNone)
    const openMs = typeof fields.open_ms === 'number' ? fields.open_ms : undefined
    this.#marks.push({ atMs: at, upstream: text(fields.upstream), route, endpoint, from, to, cause, openMs })
  }

  /** A process that begins has closed breakers: no line tells the end of those that the one before left open. */
  #beginAnew(at: number): void {
    const last = new Map(this.#marks.map((mark) => [`${mark.upstream}\n${mark.route}\n${mark.endpoint}`, mark]))
    for (const mark of last.values()) {
      if (mark.to === 'closed') continue
      this.#marks.push({ ...mark, atMs: at, from: mark.to, to: 'closed', cause: 'restart', openMs: undefined })
    }
  }

  #placeOf(ref: RouteRef): number {
    return this.#places.number(`${ref.upstream}\n${ref.route}`, () => placeAt(ref))
  }

  #word(word: string): number {
    return this.#words.number(word, () => word)
  }
}

/** Reads a log from pieces of text of any size. It need not fit into memory. */
export async function readLog(pieces: AsyncIterable<string>): Promise<RecordedLog> {
  const log = new RecordedLog()
  let begun = ''
  for await (const piece of pieces) {
    const lines = (begun + piece).split('\n')
    begun = lines.pop() ?? ''
    for (const line of lines) log.add(line)
  }
  if (begun !== '') log.add(begun)
  log.close()
  return log
}

/** An attempt without a response head, so that the sidecar answered. */
const isOwnAnswer = (reason: string) => reason !== '' && !OF_THE_BODY.has(reason)

/** Reasons that end a response after its head, or a client before it. */
const OF_THE_BODY: ReadonlySet<string> = new Set(['body_truncated', 'client_gone', 'client_stalled', 'idle_timeout'])

/** The log has attempts in the order of their ends, and hedges overlap. */
const inOrder = (attempts: readonly RecordedAttempt[]) => attempts.toSorted((a, b) => a.atMs - b.atMs)

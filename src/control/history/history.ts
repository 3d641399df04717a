/** The history of the sidecar: seconds in memory, minutes and hours in the store. */

import { setImmediate as turn } from 'node:timers/promises'
import { type Clock, isoTime } from '../../clock.ts'
import type { CheckpointStore, HistoryKind, HistoryRow } from '../../checkpoint/store.ts'
import type { HistoryMark, HistoryView, UpstreamSample } from '../../dashboard/shapes.ts'
import type { Event } from '../../events.ts'
import type { Histogram } from '../live/histogram.ts'
import { Answer, type DatedRow } from './answer.ts'
import { HOUR_MS, type HistoryQuery, MINUTE_MS, SECOND_MS, SECONDS_BACK_MS } from './query.ts'
import { addPacked, packed, read, type Row, written } from './rows.ts'
import { addSecond, type Bin, freshBin, isIdle } from './steps.ts'

/** The part of the store that keeps a history. Calls reject when it is down. */
export type Shelf = Pick<CheckpointStore, 'saveHistory' | 'history'>
type RowKind = Exclude<HistoryKind, 'incident'>

type Open = { readonly at: number; seconds: number; readonly bins: Map<string, Bin>; readonly marks: HistoryMark[] }

/** Rows that wait for a store that is down. */
const MAX_WAITING = 120
/** Rows that are read in one go. Then others run. */
const AT_ONCE = 50
const MAX_MARKS = 200

export class History {
  readonly #clock: Clock
  readonly #names: () => readonly string[]
  readonly #seconds: DatedRow[] = []
  /** Rows that are not written yet, by kind and beginning. */
  readonly #waiting = new Map<string, HistoryRow>()
  #minute: Open
  #hour: Open
  #shelf: Shelf | undefined
  /** Whether what an earlier process of this sidecar kept of the present minute and hour was added. */
  #isResumed = false
  #writing: Promise<void> = Promise.resolve()

  /** @param names of the present upstreams. */
  constructor(names: () => readonly string[], clock: Clock) {
    this.#clock = clock
    this.#names = names
    const now = clock.wallNow()
    this.#minute = opened(now, MINUTE_MS)
    this.#hour = opened(now, HOUR_MS)
  }

  /** @param beganAt wall-clock ms. */
  second(
    beganAt: number,
    upstreams: ReadonlyMap<string, { readonly sample: UpstreamSample; readonly durations: Histogram }>,
  ): void {
    const at = Math.round(beganAt / SECOND_MS) * SECOND_MS
    this.#turn(at)
    const bins = new Map<string, Bin>()
    for (const [name, { sample, durations }] of upstreams) {
      const bin = freshBin()
      addSecond(bin, sample, durations)
      if (!isIdle(bin)) bins.set(name, bin)
    }
    const row = rowOf({ at, seconds: 1, bins, marks: [] })
    this.#seconds.push({ at, ...row })
    if (this.#seconds.length > SECONDS_BACK_MS / SECOND_MS) this.#seconds.shift()
    addRow(this.#minute, row)
    addRow(this.#hour, row)
  }

  record(event: Event): void {
    const told = markOf(event)
    if (told === undefined) return
    const now = this.#clock.wallNow()
    const mark = { at: isoTime(now), ...told }
    this.#turn(now)
    for (const { marks } of [this.#minute, this.#hour]) if (marks.length < MAX_MARKS) marks.push(mark)
  }

  /** Keeps rows there from now on. Resolves when what is there of the present minute and hour was taken over, or cannot be. */
  keepIn(shelf: Shelf): Promise<void> {
    this.#shelf = shelf
    this.#write()
    return this.#writing
  }

  async ask(query: HistoryQuery): Promise<HistoryView> {
    const answer = new Answer(query, this.#names())
    if (query.stepMs < MINUTE_MS) for (const row of this.#seconds) answer.add(row)
    else await this.#addKept(answer, query, query.stepMs % HOUR_MS === 0 && isLong(query) ? 'hour' : 'minute')
    return answer.view()
  }

  /** Writes what there is of the present minute. Resolves when it is written, or cannot be. */
  async close(): Promise<void> {
    this.#put('minute', this.#minute)
    this.#put('hour', this.#hour)
    this.#write()
    await this.#writing
  }

  #turn(at: number): void {
    if (at < this.#minute.at + MINUTE_MS && at >= this.#minute.at) return
    this.#put('minute', this.#minute)
    this.#put('hour', this.#hour)
    this.#minute = opened(at, MINUTE_MS)
    if (at >= this.#hour.at + HOUR_MS || at < this.#hour.at) this.#hour = opened(at, HOUR_MS)
    this.#write()
  }

  #put(kind: RowKind, open: Open): void {
    if (open.seconds === 0 && open.marks.length === 0) return
    this.#waiting.set(`${kind} ${open.at}`, { kind, at: open.at, name: '', bytes: written(rowOf(open)) })
    for (const key of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) return
      this.#waiting.delete(key)
    }
  }

  /** One write at a time; what cannot be written waits for the next minute. The store itself reports that it is down. */
  #write(): void {
    const shelf = this.#shelf
    if (shelf === undefined) return
    this.#writing = this.#writing.then(async () => {
      try {
        if (!this.#isResumed) await this.#resume(shelf)
        const rows = [...this.#waiting]
        if (rows.length === 0) return
        await shelf.saveHistory(rows.map(([, row]) => row))
        for (const [key, row] of rows) if (this.#waiting.get(key) === row) this.#waiting.delete(key)
      } catch {
        // The rows stay in #waiting.
      }
    })
  }

  /** Adds what an earlier process kept of the minute and hour of the start, before they are overwritten. */
  async #resume(shelf: Shelf): Promise<void> {
    for (const [kind, open] of [
      ['minute', this.#minute],
      ['hour', this.#hour],
    ] as const) {
      const [kept] = await shelf.history(kind, open.at, open.at + 1)
      const row = kept && read(kept.bytes)
      if (row !== undefined) addRow(open, row)
      const waiting = this.#waiting.get(`${kind} ${open.at}`)
      if (waiting !== undefined && row !== undefined) this.#put(kind, open)
    }
    this.#isResumed = true
  }

  async #addKept(answer: Answer, { from, to }: HistoryQuery, kind: RowKind): Promise<void> {
    const open = kind === 'minute' ? this.#minute : this.#hour
    const inMemory = new Map<number, Row>([[open.at, rowOf(open)]])
    for (const { at, kind: of, bytes } of this.#waiting.values()) {
      const row = of === kind && !inMemory.has(at) ? read(bytes) : undefined
      if (row !== undefined) inMemory.set(at, row)
    }
    for (const [at, row] of inMemory) answer.add({ at, ...row })
    const kept = await this.#kept(answer, kind, from, to)
    for (const [i, { at, bytes }] of kept.entries()) {
      if (i % AT_ONCE === AT_ONCE - 1) await turn()
      const row = inMemory.has(at) ? undefined : read(bytes)
      if (row !== undefined) answer.add({ at, ...row })
    }
  }

  /** What the store has. Without its answer, the answer says so: its steps would read as times without a sidecar. */
  async #kept(answer: Answer, kind: RowKind, from: number, to: number): Promise<readonly HistoryRow[]> {
    try {
      return (await this.#shelf?.history(kind, from, to)) ?? []
    } catch (error) {
      answer.missing = `the store does not answer: ${error instanceof Error ? error.message : String(error)}`
      return []
    }
  }
}

/** Whether minutes would be many to read. */
const isLong = ({ from, to }: HistoryQuery) => to - from > 24 * HOUR_MS

const opened = (at: number, lengthMs: number): Open => ({
  at: Math.floor(at / lengthMs) * lengthMs,
  seconds: 0,
  bins: new Map(),
  marks: [],
})

const rowOf = ({ seconds, bins, marks }: Open): Row => ({
  seconds,
  upstreams: new Map([...bins].map(([name, bin]) => [name, packed(bin)])),
  marks: [...marks],
})

function addRow(open: Open, row: Row): void {
  open.seconds += row.seconds
  open.marks.push(...row.marks)
  for (const [name, values] of row.upstreams) {
    const bin = open.bins.get(name) ?? freshBin()
    open.bins.set(name, bin)
    addPacked(bin, values)
  }
}

function markOf(event: Event): Omit<HistoryMark, 'at'> | undefined {
  switch (event.kind) {
    case 'reload': {
      const kind = event.outcome === 'refused' ? 'refused' : event.trigger === 'start' ? 'started' : 'reloaded'
      return { kind, upstream: null, detail: event.version }
    }
    case 'draining':
      return { kind: 'stopped', upstream: null, detail: '' }
    case 'breaker_mode':
      return { kind: 'breaker_mode', upstream: event.upstream, detail: event.mode }
    default:
      return undefined
  }
}

/** Time for the whole program: the only file that names the platform's timers and clocks. */

import { type Placed, UnorderedList } from './unordered-list.ts'

/** A pending timer. Opaque to everything but the clock that made it. */
export type Timer = object

export type Clock = {
  /** Monotonic time in ms, fractional, from an arbitrary origin: for intervals and deadlines. */
  now(): number
  /** Wall-clock time in ms since the Unix epoch: for dates that people or other machines read. */
  wallNow(): number
  /**
   * Total time in ms that the process was paused (stopped, or starved of CPU), as far as its timers noticed. Only grows. A
   * limit that passed while it grew says nothing about the other side.
   */
  stalledMs(): number
  /**
   * Calls `fire` once after `delayMs`; soon, but never synchronously, when that is not positive. A timer that a pause made late
   * first lets one turn of I/O pass, so that an answer that waited in its socket can cancel it. Does not keep the process
   * alive.
   */
  after(delayMs: number, fire: () => void): Timer
  /** Cancels a timer. Harmless when it has fired or was cancelled before. */
  cancel(timer: Timer): void
  /** Calls `tick` soon after each second of the wall clock has ended; less often while the process is paused. @returns ends it. */
  everySecond(tick: () => void): () => void
  /** @returns ends the watch. */
  watch(watcher: ClockWatcher): () => void
}

export type ClockWatcher = {
  /** The process was paused for that many ms. */
  readonly stalled: (ms: number) => void
  /** A timer's function threw. Without a watcher the error is thrown on. */
  readonly fault: (error: unknown) => void
}

/** Longest delay that setTimeout can hold. A longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** Lateness in ms above which a timer was delayed by a pause. A busy event loop delays timers by half of it at most. */
const STALL_MS = 100
/** Interval of a timer that notices pauses when no other timer is set, in ms. */
const HEARTBEAT_MS = 250
const SECOND_MS = 1_000

/**
 * Delay in ms from which a timer is first put on a list, and the time after which those that are left on it are set. Most limits of
 * a request are long and are cancelled within milliseconds: setting and clearing them was a twentieth of its CPU time.
 */
const LONG_MS = 1_000
const SET_AFTER_MS = 250

class SystemTimer implements Placed {
  place = -1
  readonly fire: () => void
  readonly dueAt: number
  timeout: NodeJS.Timeout | undefined
  immediate: NodeJS.Immediate | undefined

  constructor(fire: () => void, dueAt: number) {
    this.fire = fire
    this.dueAt = dueAt
  }
}

/** Timers that are not set yet, since most of them are cancelled before. */
class Unset {
  readonly #set: (timer: SystemTimer) => void
  readonly #timers = new UnorderedList<SystemTimer>()
  #isDue = false

  /** @param set sets a timer that was not cancelled in time. */
  constructor(set: (timer: SystemTimer) => void) {
    this.#set = set
  }

  add(timer: SystemTimer): void {
    this.#timers.add(timer)
    if (this.#isDue) return
    this.#isDue = true
    setTimeout(() => this.#setAll(), SET_AFTER_MS).unref()
  }

  cancel(timer: SystemTimer): void {
    this.#timers.delete(timer)
  }

  #setAll(): void {
    this.#isDue = false
    for (const timer of this.#timers.now()) {
      this.#timers.delete(timer)
      this.#set(timer)
    }
  }
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short closures over the state of one clock.
function createSystemClock(): Clock {
  const watchers = new Set<ClockWatcher>()
  let stalledMs = 0
  let noticedAt = 0
  let heartbeat: Timer | undefined

  const run = ({ fire }: SystemTimer) => {
    try {
      fire()
    } catch (error) {
      if (watchers.size === 0) throw error
      for (const { fault } of watchers) fault(error)
    }
  }
  /** One pause makes many timers late. What an earlier one has counted is not counted again. */
  const notice = (dueAt: number, now: number) => {
    const ms = now - Math.max(dueAt, noticedAt)
    noticedAt = now
    stalledMs += ms
    if (ms > STALL_MS) for (const { stalled } of watchers) stalled(ms)
  }
  const onDue = (timer: SystemTimer) => {
    const now = performance.now()
    if (now - timer.dueAt <= STALL_MS) return run(timer)
    notice(timer.dueAt, now)
    timer.immediate = setImmediate(() => run(timer)).unref()
  }
  const after = (delayMs: number, fire: () => void): Timer => {
    const ms = Math.max(1, Math.min(Math.ceil(delayMs), MAX_DELAY_MS))
    const timer = new SystemTimer(fire, performance.now() + ms)
    if (ms < LONG_MS) set(timer, ms)
    else unset.add(timer)
    return timer
  }
  const set = (timer: SystemTimer, ms: number) => {
    timer.timeout = setTimeout(onDue, ms, timer).unref()
  }
  const unset = new Unset((timer) => set(timer, Math.max(1, Math.ceil(timer.dueAt - performance.now()))))
  const cancel = (timer: Timer) => {
    const own = timer as SystemTimer
    unset.cancel(own)
    if (own.timeout !== undefined) clearTimeout(own.timeout)
    if (own.immediate !== undefined) clearImmediate(own.immediate)
  }
  const beat = () => {
    heartbeat = after(HEARTBEAT_MS, beat)
  }
  const everySecond = (tick: () => void) => {
    let timer: Timer
    const next = () => {
      timer = after(SECOND_MS - (Date.now() % SECOND_MS), () => {
        next()
        tick()
      })
    }
    next()
    return () => cancel(timer)
  }
  const watch = (watcher: ClockWatcher) => {
    watchers.add(watcher)
    if (heartbeat === undefined) beat()
    return () => {
      watchers.delete(watcher)
      if (watchers.size > 0 || heartbeat === undefined) return
      cancel(heartbeat)
      heartbeat = undefined
    }
  }
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    stalledMs: () => stalledMs,
    after,
    cancel,
    everySecond,
    watch,
  }
}

export const systemClock: Clock = createSystemClock()

/**
 * One timer for a due time that moves. Moving it away costs nothing: the timer fires, finds that it is early and is set again.
 * A request without trouble thus sets one timer, however many limits apply to it in turn.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #dueAt: () => number
  readonly #bark: () => void
  #timer: Timer | undefined
  #armedFor = Number.POSITIVE_INFINITY

  /** @param dueAt monotonic ms at which to call `bark`; Infinity for never. Read again each time the timer fires. */
  constructor(clock: Clock, dueAt: () => number, bark: () => void) {
    this.#clock = clock
    this.#dueAt = dueAt
    this.#bark = bark
  }

  /** Call when the due time may have come nearer. Not needed when it moved away. */
  watch(): void {
    const dueAt = this.#dueAt()
    if (dueAt >= this.#armedFor) return
    this.stop()
    this.#armedFor = dueAt
    this.#timer = this.#clock.after(dueAt - this.#clock.now(), () => {
      this.#timer = undefined
      this.#armedFor = Number.POSITIVE_INFINITY
      if (this.#dueAt() <= this.#clock.now()) this.#bark()
      else this.watch()
    })
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
  }
}

/** Resolves or rejects with what is done, or resolves after that time: what is not done by then goes on. */
export async function within(clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = clock.after(ms, late.resolve)
  try {
    await Promise.race([done, late.promise])
  } finally {
    clock.cancel(timer)
  }
}

/** Resolves after a time, or at once when `ended` aborts. */
export function pause(clock: Clock, ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clock.cancel(timer)
      ended.removeEventListener('abort', over)
      resolve()
    }
    const timer = clock.after(ms, over)
    ended.addEventListener('abort', over)
    if (ended.aborted) over()
  })
}

/** IMF-fixdate for a wall-clock time in ms (RFC 9110 section 5.6.7). */
export const httpDate = (wallMs: number): string => new Date(wallMs).toUTCString()

/** ISO 8601 in UTC for a wall-clock time in ms. */
export const isoTime = (wallMs: number): string => new Date(wallMs).toISOString()

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const IMF_FIXDATE = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const RFC_850_DATE = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const ASCTIME_DATE = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/**
 * Parses an HTTP date to ms since the Unix epoch; undefined when it is not one.
 * @param wallNow decides the century of the obsolete two-digit year: never more than 50 years ahead.
 * Source: RFC 9110 section 5.6.7, all three forms.
 */
export function httpDateMs(text: string, wallNow: number): number | undefined {
  const fields = imfFixdate(text) ?? rfc850Date(text, wallNow) ?? asctimeDate(text)
  if (fields === undefined) return undefined
  const month = MONTHS.indexOf(fields.month)
  if (month < 0) return undefined
  return Date.UTC(fields.year, month, fields.day, fields.hour, fields.minute, fields.second)
}

type DateFields = { year: number; month: string; day: number; hour: number; minute: number; second: number }

function imfFixdate(text: string): DateFields | undefined {
  const [, day, month, year, hour, minute, second] = IMF_FIXDATE.exec(text) ?? []
  if (month === undefined) return undefined
  return {
    year: Number(year),
    month,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  }
}

function rfc850Date(text: string, wallNow: number): DateFields | undefined {
  const [, day, month, year, hour, minute, second] = RFC_850_DATE.exec(text) ?? []
  if (month === undefined) return undefined
  const thisYear = new Date(wallNow).getUTCFullYear()
  const inThisCentury = Math.floor(thisYear / 100) * 100 + Number(year)
  const fullYear = inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury
  return { year: fullYear, month, day: Number(day), hour: Number(hour), minute: Number(minute), second: Number(second) }
}

function asctimeDate(text: string): DateFields | undefined {
  const [, month, day, hour, minute, second, year] = ASCTIME_DATE.exec(text) ?? []
  if (month === undefined) return undefined
  return {
    year: Number(year),
    month,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  }
}

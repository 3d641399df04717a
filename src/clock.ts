/** Time for everything else in the house: the only file that names the platform's timers and clocks. */

/** A pending timer; opaque to all but the clock that made it. */
export type Timer = object

export type Clock = {
  /** Monotonic time in ms, fractional, from an arbitrary origin: for intervals and deadlines. */
  now(): number
  /** Wall-clock time in ms since the Unix epoch: for dates that people or other machines read. */
  wallNow(): number
  /**
   * ms that the process has stood still so far, stopped or starved, as far as its timers have noticed: grows only. A limit
   * that was passed while this grew says nothing about the other side.
   */
  stalledMs(): number
  /**
   * Calls `fire` once, `delayMs` from now (soon, but never synchronously, when that is not positive). A timer that is late
   * by a stall lets one turn of I/O pass first, so that an answer which has waited in its socket meanwhile can cancel it.
   * Does not keep the process alive by itself.
   */
  after(delayMs: number, fire: () => void): Timer
  /** Forgets a timer; one that has fired or was cancelled before is no error. */
  cancel(timer: Timer): void
  /** @returns ends the watch. */
  watch(watcher: ClockWatcher): () => void
}

export type ClockWatcher = {
  /** The process stood still for so many ms. */
  readonly stalled: (ms: number) => void
  /** The function of a timer threw; with no watcher the error is thrown on. */
  readonly fault: (error: unknown) => void
}

/** A longer delay than setTimeout can hold would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** A timer that is later than this was kept from firing by a stall: the load of a busy loop makes it no more than half as late. */
const STALL_MS = 100
/** A stall is noticed by timers that it makes late: this one is there where no other is. */
const HEARTBEAT_MS = 250

class SystemTimer {
  readonly fire: () => void
  readonly dueAt: number
  timeout: NodeJS.Timeout | undefined
  immediate: NodeJS.Immediate | undefined

  constructor(fire: () => void, dueAt: number) {
    this.fire = fire
    this.dueAt = dueAt
  }
}

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
  /** One stall makes many timers late: what an earlier one has counted is not counted again. */
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
    timer.timeout = setTimeout(onDue, ms, timer).unref()
    return timer
  }
  const cancel = (timer: Timer) => {
    const { timeout, immediate } = timer as SystemTimer
    clearTimeout(timeout)
    clearImmediate(immediate)
  }
  const beat = () => {
    heartbeat = after(HEARTBEAT_MS, beat)
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
    watch,
  }
}

export const systemClock: Clock = createSystemClock()

/**
 * One timer for a due time that moves: putting it off costs nothing until the timer fires and finds that it is early.
 * A request that meets no trouble thereby sets one timer, however many limits watch over it in turn.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #dueAt: () => number
  readonly #bark: () => void
  #timer: Timer | undefined
  #armedFor = Number.POSITIVE_INFINITY

  /** @param dueAt monotonic ms of the moment to call `bark`; Infinity for never. Asked again each time it seems due. */
  constructor(clock: Clock, dueAt: () => number, bark: () => void) {
    this.#clock = clock
    this.#dueAt = dueAt
    this.#bark = bark
  }

  /** To be called when the due time may have come nearer; not needed when it moved away. */
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

/** ISO 8601 in UTC of a wall-clock time in ms. */
export const isoTime = (wallMs: number): string => new Date(wallMs).toISOString()

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const IMF_FIXDATE = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const RFC_850_DATE = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const ASCTIME_DATE = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/**
 * An HTTP date in ms since the Unix epoch, undefined when it is none.
 * @param wallNow settles the century of the obsolete two-digit year: never more than 50 years ahead.
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

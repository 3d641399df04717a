import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, ClockWatcher } from '../../src/clock.ts'

type Pending = { dueAt: number; fire: () => void }

/**
 * A clock that moves only when the test moves it, with a turn of I/O after each timer: sockets are real, only the sidecar's own
 * time is simulated. Tests without I/O use `VirtualClock`.
 */
export type FakeClock = Clock & {
  /** Moves the time on by `ms`. Timers due by then fire in order, each at its due time. */
  advance(ms: number): Promise<void>
  /** Waits until someone has set a timer that is due exactly `ms` from now. */
  armed(ms: number): Promise<void>
  /** Waits as `armed` does, then advances by `ms`: a test thus asserts the delay itself. */
  elapse(ms: number): Promise<void>
  /** Simulates a process paused for `ms`, over 100: timers due meanwhile fire late, after a turn of I/O. */
  stall(ms: number): Promise<void>
  /** Moves the wall clock by `ms`, forward or back. The monotonic time and the timers stay. */
  jumpWall(ms: number): void
  /** Delays, from now, of the timers that are set. */
  pending(): number[]
}

/** Wall time at the start: a whole second, so that HTTP dates are exact. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

export function fakeClock(): FakeClock {
  let now = 0
  let wallAhead = EPOCH_MS
  const timers = new Set<Pending>()
  /** Calls of each second: no timer that a test waits for. */
  const ticks = new Set<Pending>()
  const watchers = new Set<() => void>()
  const isDueIn = (ms: number) => [...timers].some(({ dueAt }) => Math.abs(dueAt - now - ms) < 1e-6)
  let stalled = 0
  const observers = new Set<ClockWatcher>()
  const run = ({ fire }: Pending) => {
    try {
      fire()
    } catch (error) {
      if (observers.size === 0) throw error
      for (const { fault } of observers) fault(error)
    }
  }
  const tickUntil = (until: number) => {
    for (const tick of ticks)
      for (; tick.dueAt <= until && ticks.has(tick); tick.dueAt += 1_000) {
        now = Math.max(now, tick.dueAt)
        run(tick)
      }
  }
  const advance = async (ms: number) => {
    const until = now + ms
    for (;;) {
      const due = [...timers].filter(({ dueAt }) => dueAt <= until + 1e-6).sort((a, b) => a.dueAt - b.dueAt)[0]
      tickUntil(due?.dueAt ?? until)
      if (due === undefined) break
      timers.delete(due)
      now = Math.max(now, due.dueAt)
      run(due)
      await turn()
    }
    now = until
  }
  const armed = async (ms: number) => {
    while (!isDueIn(ms)) {
      await new Promise<void>((resolve) => {
        const watch = () => {
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
      })
    }
  }
  return {
    now: () => now,
    stalledMs: () => stalled,
    watch: (watcher) => {
      observers.add(watcher)
      return () => observers.delete(watcher)
    },
    stall: async (ms) => {
      now += ms
      stalled += ms
      for (const watcher of observers) watcher.stalled(ms)
      // Two turns, since the first may end in the same turn of the loop.
      await turn()
      await turn()
      await advance(0)
    },
    wallNow: () => wallAhead + now,
    jumpWall: (ms) => {
      wallAhead += ms
    },
    after: (delayMs, fire) => {
      const timer = { dueAt: now + Math.max(0, delayMs), fire }
      timers.add(timer)
      for (const watch of watchers) watch()
      return timer
    },
    everySecond: (fire) => {
      const tick = { dueAt: now + 1_000 - ((wallAhead + now) % 1_000), fire }
      ticks.add(tick)
      return () => ticks.delete(tick)
    },
    cancel: (timer) => void timers.delete(timer as Pending),
    pending: () => [...timers].map(({ dueAt }) => dueAt - now),
    advance,
    armed,
    elapse: async (ms) => {
      await armed(ms)
      await advance(ms)
    },
  }
}

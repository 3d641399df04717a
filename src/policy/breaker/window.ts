/** Counts good and bad outcomes of the last `windowMs` in ten slots, for each group of paths. An idle gap empties them. */

const SLOTS = 10

type Window = { readonly ticks: number[]; readonly total: number[]; readonly bad: number[] }

/** `groups`: windows by the key of their group of paths. */
export type Windows = { readonly windowMs: number; readonly groups: Map<string, Window> }

export type RateSettings = {
  /** Share of bad outcomes, between 0 and 1, above which the rate is exceeded. */
  readonly threshold: number
  readonly windowMs: number
  /** Smallest number of outcomes for a rate. */
  readonly minimumRequests: number
}

/** Share of `minimumRequests` from which a group counts as called often enough. */
const OFTEN = 1 / 3
/** Number of groups above which those without an outcome in the window are dropped. */
const MANY_GROUPS = 256

export const freshWindows = (windowMs: number): Windows => ({ windowMs, groups: new Map() })

export function count(windows: Windows, group: string, isBad: boolean, now: number): void {
  const window = windowOf(windows, group, now)
  const tick = Math.floor(now / (windows.windowMs / SLOTS))
  const slot = ((tick % SLOTS) + SLOTS) % SLOTS
  if (window.ticks[slot] !== tick) {
    window.ticks[slot] = tick
    window.total[slot] = 0
    window.bad[slot] = 0
  }
  window.total[slot] = (window.total[slot] ?? 0) + 1
  if (isBad) window.bad[slot] = (window.bad[slot] ?? 0) + 1
}

/**
 * Whether more than the threshold's share of enough outcomes were bad, and no group that was called often enough stays below
 * it: one broken path is no broken upstream.
 */
export function exceeds(windows: Windows, now: number, { threshold, minimumRequests }: RateSettings): boolean {
  let total = 0
  let bad = 0
  for (const window of windows.groups.values()) {
    const sums = sumsOf(window, windows.windowMs, now)
    if (sums.total >= minimumRequests * OFTEN && sums.bad <= sums.total * threshold) return false
    total += sums.total
    bad += sums.bad
  }
  return total >= minimumRequests && total > 0 && bad / total > threshold
}

function windowOf({ windowMs, groups }: Windows, group: string, now: number): Window {
  const known = groups.get(group)
  if (known !== undefined) return known
  if (groups.size >= MANY_GROUPS)
    for (const [key, window] of groups) if (sumsOf(window, windowMs, now).total === 0) groups.delete(key)
  const fresh = {
    ticks: new Array(SLOTS).fill(Number.NEGATIVE_INFINITY),
    total: new Array(SLOTS).fill(0),
    bad: new Array(SLOTS).fill(0),
  }
  groups.set(group, fresh)
  return fresh
}

function sumsOf(window: Window, windowMs: number, now: number): { readonly total: number; readonly bad: number } {
  const oldest = Math.floor(now / (windowMs / SLOTS)) - SLOTS
  let total = 0
  let bad = 0
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if ((window.ticks[slot] ?? Number.NEGATIVE_INFINITY) <= oldest) continue
    total += window.total[slot] ?? 0
    bad += window.bad[slot] ?? 0
  }
  return { total, bad }
}

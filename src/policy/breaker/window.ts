/** Counts good and bad outcomes of the last `windowMs` in ten slots. An idle gap empties them. */

const SLOTS = 10

export type Window = {
  readonly slotMs: number
  readonly ticks: number[]
  readonly total: number[]
  readonly bad: number[]
}

export type RateSettings = {
  /** Share of bad outcomes, between 0 and 1, above which the rate is exceeded. */
  readonly threshold: number
  readonly windowMs: number
  /** Smallest number of outcomes for a rate. */
  readonly minimumRequests: number
}

export const freshWindow = (windowMs: number): Window => ({
  slotMs: windowMs / SLOTS,
  ticks: new Array(SLOTS).fill(Number.NEGATIVE_INFINITY),
  total: new Array(SLOTS).fill(0),
  bad: new Array(SLOTS).fill(0),
})

export function count(window: Window, isBad: boolean, now: number): void {
  const tick = Math.floor(now / window.slotMs)
  const slot = ((tick % SLOTS) + SLOTS) % SLOTS
  if (window.ticks[slot] !== tick) {
    window.ticks[slot] = tick
    window.total[slot] = 0
    window.bad[slot] = 0
  }
  window.total[slot] = (window.total[slot] ?? 0) + 1
  if (isBad) window.bad[slot] = (window.bad[slot] ?? 0) + 1
}

/** Whether more than the threshold's share of enough outcomes were bad. */
export function exceeds(window: Window, now: number, settings: RateSettings): boolean {
  const oldest = Math.floor(now / window.slotMs) - SLOTS
  let total = 0
  let bad = 0
  for (let slot = 0; slot < SLOTS; slot += 1) {
    if ((window.ticks[slot] ?? Number.NEGATIVE_INFINITY) <= oldest) continue
    total += window.total[slot] ?? 0
    bad += window.bad[slot] ?? 0
  }
  return total >= settings.minimumRequests && total > 0 && bad / total > settings.threshold
}

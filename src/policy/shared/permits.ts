/**
 * Slots that a fleet shares: a sidecar lets in as many requests as it holds permits. It keeps permits that it used a moment ago,
 * so that a steady load waits for no round trip, and gives them up as soon as another sidecar waits for one. Where Redis does not
 * answer within ANSWER_MS, the sidecar's own share of the limit holds until it does.
 */

import type { Timer } from '../../clock.ts'
import type { Deps } from '../../deps.ts'
import type { Permits } from '../../peers.ts'

/** Time in ms between two reports while permits are held: less than a third of their lease. */
const BEAT_MS = 1_000
/** Time in ms after which Redis is asked again for those who wait, or because it did not answer. */
const AGAIN_MS = 250

export type SharedPermits = {
  /** Name of the limit among the sidecars. */
  readonly key: string
  /** Permits of the whole fleet, and the most that this sidecar uses. */
  limit: number
  max: number
  held: number
  /** Largest number in use since the last report. */
  peak: number
  /** Whether other sidecars wait for one. */
  isWanted: boolean
  /** Permits asked for and not answered yet: so many may wait beyond the queue's bound. */
  asked: number
  /** Whether the last question got less than it asked for. */
  isShort: boolean
  isAsking: boolean
  isAlone: boolean
  timer: Timer | undefined
}

export const freshPermits = (key: string, limit: number, max: number): SharedPermits => ({
  key,
  limit,
  max,
  held: 0,
  peak: 0,
  isWanted: false,
  asked: 0,
  isShort: false,
  isAsking: false,
  isAlone: false,
  timer: undefined,
})

/** What permits need of the slots that they bound. */
export type Bounded = {
  readonly inUse: number
  readonly waiting: { readonly length: number }
  /** Sets the number of slots and lets waiters in. */
  readonly admit: (limit: number) => void
  /** Refuses those for whom there is no place in the queue. */
  readonly trim: () => void
}

/** A sidecar's own share: at least one. */
const permitShare = (limit: number, pods: number): number => Math.max(1, Math.floor(limit / pods))

/** Someone waits for a slot. */
export function need(permits: SharedPermits, slots: Bounded, deps: Deps): void {
  if (permits.isAsking || permits.isAlone) return
  // Then the timer asks, or the news that one is free.
  if (permits.isShort && permits.timer !== undefined) return
  if (missing(permits, slots) > 0) ask(permits, slots, deps)
}

/** A slot was freed. Where others wait for a permit it is given up, and asked for again by those who wait here. */
export function freed(permits: SharedPermits, slots: Bounded, deps: Deps): void {
  if (permits.isAlone || !permits.isWanted) return
  permits.held = slots.inUse
  slots.admit(slotsOf(permits))
  ask(permits, slots, deps)
}

/** Another sidecar waits for a permit, or has given one back. */
export function heard(permits: SharedPermits, isFree: boolean, slots: Bounded, deps: Deps): void {
  if (permits.isAlone) return
  permits.isWanted = true
  const isOfUse = isFree ? slots.waiting.length > 0 : permits.held > slots.inUse
  if (!isOfUse) return
  if (!isFree) {
    permits.held = slots.inUse
    slots.admit(slotsOf(permits))
  }
  ask(permits, slots, deps)
}

/** Applies other numbers. */
export function adaptPermits(permits: SharedPermits, limit: number, max: number, slots: Bounded, deps: Deps): void {
  permits.limit = limit
  permits.max = max
  slots.admit(permits.isAlone ? Math.min(max, permitShare(limit, deps.peers?.pods() ?? 1)) : slotsOf(permits))
}

const slotsOf = ({ held, max }: SharedPermits) => Math.min(held, max)

const missing = ({ held, max }: SharedPermits, { inUse, waiting }: Bounded) =>
  Math.min(waiting.length, max - inUse) - Math.max(0, held - inUse)

function ask(permits: SharedPermits, slots: Bounded, deps: Deps): void {
  const { peers, clock } = deps
  if (permits.isAsking || peers === undefined) return
  if (permits.timer !== undefined) clock.cancel(permits.timer)
  permits.timer = undefined
  const { key, limit } = permits
  const have =
    permits.isAlone || permits.isWanted ? slots.inUse : Math.max(slots.inUse, Math.min(permits.held, permits.peak))
  permits.held = have
  permits.peak = slots.inUse
  const want = Math.max(0, missing(permits, slots))
  permits.isAsking = true
  permits.asked = want
  peers.permits({ key, limit, have, want }, (answer) => {
    permits.isAsking = false
    permits.asked = 0
    permits.isShort = answer !== undefined && answer.granted < want
    if (answer === undefined) alone(permits, slots, deps)
    else together(permits, answer, slots, deps)
    if (answer === undefined || permits.isShort) slots.trim()
    else if (missing(permits, slots) > 0) return ask(permits, slots, deps)
    // Nobody waits here any more: Redis must not keep a place for them.
    if (permits.isShort && slots.waiting.length === 0) return ask(permits, slots, deps)
    look(permits, slots, deps)
  })
}

function alone(permits: SharedPermits, slots: Bounded, { peers, emit }: Deps): void {
  const pods = peers?.pods() ?? 1
  const share = permitShare(permits.limit, pods)
  if (!permits.isAlone) emit({ kind: 'fleet_share', key: permits.key, isAlone: true, share, pods })
  permits.isAlone = true
  slots.admit(Math.min(permits.max, share))
}

function together(permits: SharedPermits, { granted, isWanted }: Permits, slots: Bounded, { peers, emit }: Deps): void {
  const pods = peers?.pods() ?? 1
  if (permits.isAlone) emit({ kind: 'fleet_share', key: permits.key, isAlone: false, share: permits.limit, pods })
  permits.isAlone = false
  permits.isWanted = isWanted
  permits.held += granted
  slots.admit(slotsOf(permits))
  permits.peak = Math.max(permits.peak, slots.inUse)
}

/** Sets the timer for the next report. */
function look(permits: SharedPermits, slots: Bounded, deps: Deps): void {
  const isInUse = permits.held > 0 || slots.inUse > 0
  const isAgain = permits.isAlone || slots.waiting.length > 0
  if ((!isInUse && !isAgain) || permits.timer !== undefined) return
  permits.timer = deps.clock.after(isAgain ? AGAIN_MS : BEAT_MS, () => {
    permits.timer = undefined
    ask(permits, slots, deps)
  })
}

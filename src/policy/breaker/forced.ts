/** The order of an operator that a breaker obeys, and its end. */

import type { Timer } from '../../clock.ts'
import type { Deps } from '../../deps.ts'
import type { BreakerOrder, ForcedBreaker } from '../../events.ts'

/** The order that a breaker obeys. It outlives a reload, as the circuit does. */
export type Held = { order: ForcedBreaker | undefined; timer: Timer | undefined }

export const freshHeld = (): Held => ({ order: undefined, timer: undefined })

/** Forgets the order in force and its end. */
export function letGo(held: Held, { clock }: Deps): void {
  if (held.timer !== undefined) clock.cancel(held.timer)
  held.timer = undefined
  held.order = undefined
}

/** @param end called when the order's time is over. */
export function hold(held: Held, { mode, reason, by, forMs }: BreakerOrder, end: () => void, deps: Deps): void {
  letGo(held, deps)
  if (mode === 'auto') return
  const since = deps.clock.wallNow()
  held.order = { reason, by, since, until: forMs === undefined ? undefined : since + forMs }
  if (forMs !== undefined) held.timer = deps.clock.after(forMs, end)
}

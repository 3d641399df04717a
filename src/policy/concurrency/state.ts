import type { Deps } from '../../deps.ts'
import type { UpstreamOwner } from '../policy.ts'
import { freshSlots, letIn, type Slots } from '../shared/limit.ts'
import { type Adaptive, begin, bound, end, freshAdaptive } from './adaptive.ts'
import type { ConcurrencySettings } from './settings.ts'

export type Concurrency = {
  readonly slots: Slots
  /** undefined where the limit is fixed. */
  readonly adaptive: Adaptive | undefined
}

type Owner = UpstreamOwner<ConcurrencySettings>

export const concurrencyState = {
  prepare({ settings }: Owner, known: Concurrency | undefined, _: Owner | undefined, { clock }: Deps): Concurrency {
    const { max, adaptive: isAdaptive } = settings.concurrency
    const slots = known?.slots ?? freshSlots(max)
    const adaptive = isAdaptive ? (known?.adaptive ?? freshAdaptive(slots, max, clock.now())) : undefined
    if (known === undefined && adaptive !== undefined) begin(adaptive)
    return { slots, adaptive }
  },

  activate(
    { slots, adaptive }: Concurrency,
    { settings, routes }: Owner,
    known: Concurrency | undefined,
    deps: Deps,
  ): void {
    const { max } = settings.concurrency
    if (known?.adaptive !== undefined && adaptive === undefined) end(known.adaptive)
    if (adaptive === undefined) slots.limit = max
    else if (adaptive === known?.adaptive) keep(adaptive, max, routes)
    else begin(adaptive)
    letIn(slots, deps.clock.now())
  },
}

/** Forgets the latencies of routes that the reload removed. */
function keep(adaptive: Adaptive, max: number, routes: Owner['routes']): void {
  bound(adaptive, max)
  const refs = new Set(routes.map(({ ref }) => ref))
  for (const ref of adaptive.routes.keys()) if (!refs.has(ref)) adaptive.routes.delete(ref)
}

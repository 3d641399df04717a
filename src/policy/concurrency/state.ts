import type { Deps } from '../../deps.ts'
import type { UpstreamOwner } from '../policy.ts'
import { bounded, freshSlots, letIn, type LimitSettings, type Slots } from '../shared/limit.ts'
import { adaptPermits, freshPermits } from '../shared/permits.ts'
import { type Adaptive, begin, bound, end, freshAdaptive } from './adaptive.ts'
import type { ConcurrencySettings } from './settings.ts'

export type Concurrency = {
  readonly slots: Slots
  /** undefined where the limit is fixed. */
  readonly adaptive: Adaptive | undefined
}

type Owner = UpstreamOwner<ConcurrencySettings>

const KEYS = {
  max: 'concurrency.max',
  queue: 'concurrency.queue',
  queueTimeout: 'concurrency.queueTimeout',
  fleet: 'concurrency.fleet',
}

export const limitOf = ({ concurrency: { queue, queueTimeoutMs } }: ConcurrencySettings): LimitSettings => ({
  keys: KEYS,
  queue,
  queueTimeoutMs,
})

export const concurrencyState = {
  prepare({ name, settings }: Owner, known: Concurrency | undefined, _: Owner | undefined, deps: Deps): Concurrency {
    const { clock } = deps
    const { max, adaptive: isAdaptive, fleet } = settings.concurrency
    const isShared = fleet !== false && deps.peers !== undefined
    const isSame = (known?.slots.permits !== undefined) === isShared
    const permits = isShared ? freshPermits(`concurrency.${name}`, fleet, max) : undefined
    const slots = known !== undefined && isSame ? known.slots : freshSlots(max, permits)
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
    const { max, fleet } = settings.concurrency
    if (known?.adaptive !== undefined && adaptive === undefined) end(known.adaptive)
    if (slots.permits !== undefined && fleet !== false)
      adaptPermits(slots.permits, fleet, max, bounded(limitOf(settings), slots, deps), deps)
    else if (adaptive === undefined) slots.limit = max
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

/** Slots of limits that several upstreams or routes share, by name. They outlive a reload. */

import type { Deps } from '../../deps.ts'
import type { ServiceOwner } from '../policy.ts'
import { bounded, freshSlots, letIn, type LimitSettings, type Slots } from '../shared/limit.ts'
import { adaptPermits, freshPermits } from '../shared/permits.ts'
import type { SharedLimits } from './settings.ts'

type SharedLimit = { readonly settings: LimitSettings; readonly slots: Slots }

export type LimitsState = { readonly limits: ReadonlyMap<string, SharedLimit> }

type Owner = ServiceOwner<SharedLimits>
type All = LimitsState['limits']

export const limitsState = {
  prepare: ({ settings: { limits } }: Owner, known: All | undefined, _: Owner | undefined, { peers }: Deps): All =>
    new Map(
      Object.entries(limits).map(([name, { max, fleet, queue, queueTimeoutMs }]) => {
        const key = `limits.${name}`
        const keys = {
          max: `${key}.max`,
          queue: `${key}.queue`,
          queueTimeout: `${key}.queueTimeout`,
          fleet: `${key}.fleet`,
        }
        const before = known?.get(name)?.slots
        const isShared = fleet !== false && peers !== undefined
        const isSame = (before?.permits !== undefined) === isShared
        const permits = isShared ? freshPermits(key, fleet, max) : undefined
        const slots = before !== undefined && isSame ? before : freshSlots(max, permits)
        return [name, { settings: { keys, queue, queueTimeoutMs }, slots }]
      }),
    ),

  activate(all: All, { settings: { limits } }: Owner, _: All | undefined, deps: Deps): void {
    for (const [name, { settings, slots }] of all) {
      const { max = slots.limit, fleet = false } = limits[name] ?? {}
      if (slots.permits !== undefined && fleet !== false)
        adaptPermits(slots.permits, fleet, max, bounded(settings, slots, deps), deps)
      else slots.limit = max
      letIn(slots, deps.clock.now())
    }
  },
}

/** Slots of limits that several upstreams or routes share, by name. They outlive a reload. */

import type { Deps } from '../../deps.ts'
import type { ServiceOwner } from '../policy.ts'
import { freshSlots, letIn, type LimitSettings, type Slots } from '../shared/limit.ts'
import type { SharedLimits } from './settings.ts'

type SharedLimit = { readonly settings: LimitSettings; readonly slots: Slots }

export type LimitsState = { readonly limits: ReadonlyMap<string, SharedLimit> }

type Owner = ServiceOwner<SharedLimits>
type All = LimitsState['limits']

export const limitsState = {
  prepare: ({ settings: { limits } }: Owner, known: All | undefined): All =>
    new Map(
      Object.entries(limits).map(([name, { max, queue, queueTimeoutMs }]) => {
        const key = `limits.${name}`
        const keys = { max: `${key}.max`, queue: `${key}.queue`, queueTimeout: `${key}.queueTimeout` }
        const slots = known?.get(name)?.slots ?? freshSlots(max)
        return [name, { settings: { keys, queue, queueTimeoutMs }, slots }]
      }),
    ),

  activate(all: All, { settings: { limits } }: Owner, _: All | undefined, { clock }: Deps): void {
    for (const [name, { slots }] of all) {
      slots.limit = limits[name]?.max ?? slots.limit
      letIn(slots, clock.now())
    }
  },
}

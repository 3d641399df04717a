/** The fleet over HTTP: its sidecars, and who holds what. */

import { z } from 'zod'
import { StoreDown } from '../../../checkpoint/store.ts'
import type { Config } from '../../../config/schema.ts'
import type { Fleet } from '../../../fleet/fleet.ts'
import { json, type Operation, operation, PLAIN } from '../operation.ts'

const MEMBER = z.object({ id: z.string(), host: z.string(), self: z.boolean() })
const LEASE = z.object({
  limit: z.string().describe('concurrency.<upstream> or limits.<name>'),
  holder: z.string().describe('id of the member'),
  permits: z.int(),
})
const LIMIT = z.object({
  limit: z.string().describe('concurrency.<upstream>, limits.<name> or rate.<upstream>'),
  max: z.int().describe('permits, or calls within per_s'),
  held: z.int().nullable().describe('permits that are held; null for a rate'),
  per_s: z.number().nullable(),
})
const FLEET = z.object({
  name: z.string().nullable().describe('null without a fleet'),
  id: z.string().nullable().describe('of this sidecar'),
  up: z.boolean().describe('whether Redis answered last'),
  pods: z.int().describe('last known number of sidecars'),
  members: z.array(MEMBER),
  leases: z.array(LEASE),
  limits: z.array(LIMIT),
})

export const fleetOperation = (fleet: Fleet | undefined, config: Config): Operation =>
  operation({
    ...PLAIN,
    id: 'readFleet',
    method: 'GET',
    path: '/v1/fleet',
    summary: 'The sidecars of the fleet, the limits that they share, and who holds what',
    answers: { 200: { what: 'the fleet', schema: FLEET } },
    answer: async () => {
      if (fleet === undefined)
        return json(200, { name: null, id: null, up: false, pods: 1, members: [], leases: [], limits: [] })
      const { id, name, isUp, pods } = fleet.status
      const about = { name, id, up: isUp, pods }
      try {
        const [members, permits] = await Promise.all([fleet.members(), permitsOf(fleet, config)])
        return json(200, {
          ...about,
          members: members.map((member) => ({ ...member, self: member.id === id })),
          leases: permits.flatMap(({ limit, holders }) =>
            holders.map((holder) => ({ limit, holder: holder.id, permits: holder.permits })),
          ),
          limits: [
            ...permits.map(({ limit, max, holders }) => {
              const held = holders.reduce((sum, holder) => sum + holder.permits, 0)
              return { limit, max, held, per_s: null }
            }),
            ...ratesOf(config),
          ],
        })
      } catch (error) {
        if (!(error instanceof StoreDown)) throw error
        // What this sidecar knows by itself. `up` says the rest.
        return json(200, { ...about, up: false, members: [], leases: [], limits: ratesOf(config) })
      }
    },
  })

const permitsOf = (fleet: Fleet, { upstreams, limits }: Config) =>
  Promise.all(
    [
      ...upstreams.map(({ name, concurrency }) => ({ limit: `concurrency.${name}`, max: concurrency.fleet })),
      ...Object.entries(limits).map(([name, { fleet: max }]) => ({ limit: `limits.${name}`, max })),
    ].flatMap(({ limit, max }) =>
      max === false ? [] : [fleet.holders(limit).then((all) => ({ limit, max, holders: all }))],
    ),
  )

const ratesOf = ({ upstreams }: Config) =>
  upstreams.flatMap(({ name, rate }) =>
    rate === false ? [] : [{ limit: `rate.${name}`, max: rate.requests, held: null, per_s: rate.perMs / 1000 }],
  )

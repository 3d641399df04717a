import { z } from 'zod'
import { createdIdSource, idSource } from '../../config/kinds/condition.ts'
import { duration, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import type { CreatedIdSource } from '../../job/id.ts'
import type { IdSource } from '../../job/match.ts'
import { NO_SETTINGS } from '../policy.ts'

const ABANDONED_AFTER = '10m'

const length = duration('1s', '30d')

/** A name that cannot be taken for a duration. */
const timeoutName = z
  .string({ error: 'expected a duration such as 2h, or the name of a computed timeout such as total' })
  .regex(/^[a-z][a-z0-9_]*$/, {
    error: 'expected a duration such as 2h, or the name of a computed timeout such as total',
  })
  .transform((computed) => ({ computed }))

const creates = z
  .strictObject({
    id: createdIdSource.describe("Where the job's id stands, of the response unless the client chooses it."),
    deadline: z
      .union([length, timeoutName], {
        error: 'expected a duration such as 2h, or the name of a computed timeout such as total',
      })
      .meta({ title: 'a duration from 1s to 30d, or the name of a computed timeout such as total' })
      .describe('Time for the job. After it, requests of the job are answered by 504. None when absent.')
      .optional(),
    abandonedAfter: length.default(length.parse(ABANDONED_AFTER)).meta({
      description: 'Time without a request after which a running job counts as abandoned.',
      byDefault: ABANDONED_AFTER,
    }),
  })
  .transform(({ abandonedAfter, ...rest }) => ({ ...rest, abandonedAfterMs: abandonedAfter }))

export const JOBS = {
  ...NO_SETTINGS,
  routeOnly: {
    creates: setting(
      offOr(creates),
      false,
      'Requests of the route create jobs: the id is learned from the response, and the job is registered.',
    ),
    job: setting(
      offOr(idSource),
      false,
      "Where the id of the request's job stands. Binds polls and downloads to a job that a route of the upstream creates. A name is that of a {name} in match.",
    ),
  },
} as const

export type JobsSettings = Values<typeof JOBS.routeOnly>

/** Where the id of the route's job stands; undefined when the route names none. */
export const boundIn = ({ job }: JobsSettings): IdSource | undefined => {
  if (job === false) return undefined
  return typeof job === 'string' ? { path: job } : job
}

export type Creates = Exclude<JobsSettings['creates'], false>

export const createdIn = ({ id }: Creates): CreatedIdSource => (typeof id === 'string' ? { path: id } : id)

/** Progress of jobs over HTTP: all stages of each, without their items. */

import { z } from 'zod'
import type { JobProgress } from '../../../dashboard/shapes.ts'
import type { CheckpointStore } from '../../../checkpoint/store.ts'
import { CURSOR, PAGE_END, pageEnd } from '../listing.ts'
import { json, limitUpTo, type Operation, operation, PLAIN } from '../operation.ts'

const MAX_JOBS = 100

const PAGE = z.object({
  jobs: z.array(
    z.object({
      job_id: z.string(),
      stages: z
        .array(z.object({ stage: z.string(), completed_items: z.int(), total_items: z.int() }))
        .describe('the newest last'),
    }),
  ),
  ...PAGE_END,
}) satisfies z.ZodType<{ readonly jobs: readonly JobProgress[] }>

export const progressOperation = (store: CheckpointStore): Operation =>
  operation({
    ...PLAIN,
    id: 'listProgress',
    method: 'GET',
    path: '/v1/progress',
    summary: 'A page of the jobs that have a checkpoint, in order of job: how much of each stage is done',
    query: { limit: limitUpTo(MAX_JOBS), cursor: CURSOR },
    answers: { 200: { what: 'a page', schema: PAGE } },
    answer: async ({ query }) => {
      const page = await store.progress(query.limit ?? MAX_JOBS, query.cursor)
      const jobs = page.jobs.map(({ job, stages }) => ({ job_id: job, stages }))
      return json(200, { jobs, ...pageEnd(page) })
    },
  })

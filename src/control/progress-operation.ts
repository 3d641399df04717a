/** How far the jobs are, over HTTP: all stages of each, without the items, of which there may be thousands. */

import { z } from 'zod'
import { type Checkpoint, JOB_ID } from '../checkpoint/record.ts'
import type { CheckpointStore } from '../checkpoint/store.ts'
import { json, limitUpTo, type Operation, PLAIN } from './operation.ts'

const MOST = 100

const PAGE = z.object({
  jobs: z.array(
    z.object({
      job_id: z.string(),
      stages: z
        .array(z.object({ stage: z.string(), completed_items: z.int(), total_items: z.int() }))
        .describe('the newest last'),
    }),
  ),
  next_cursor: z.string().nullable(),
})

export function progressOperation(store: CheckpointStore): Operation {
  const olderOf = async (job: string, newest: string): Promise<Checkpoint[]> => {
    const names = (await store.stages(job)).filter((stage) => stage !== newest)
    const records = await Promise.all(names.map((stage) => store.load(job, stage)))
    return records.flatMap((record) => (record === undefined ? [] : [record.checkpoint]))
  }
  return {
    ...PLAIN,
    id: 'listProgress',
    method: 'GET',
    path: '/v1/progress',
    summary: 'A page of the jobs that have a checkpoint, in order of job: how much of each stage is done',
    query: {
      limit: limitUpTo(MOST),
      cursor: z.string().regex(JOB_ID, { error: 'no cursor of ours' }).optional(),
    },
    answers: { 200: { what: 'a page', schema: PAGE } },
    answer: async ({ query }) => {
      const { records, next } = await store.list(
        undefined,
        Number(query.get('limit') ?? MOST),
        query.get('cursor') ?? undefined,
      )
      const jobs = await Promise.all(
        records.map(async ({ job, checkpoint }) => ({
          job_id: job,
          stages: [...(await olderOf(job, checkpoint.stage)), checkpoint].map(shown),
        })),
      )
      return json(200, { jobs, next_cursor: next ?? null })
    },
  }
}

const shown = ({ stage, completed_items, total_items }: Checkpoint) => ({ stage, completed_items, total_items })

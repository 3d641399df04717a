/** Checkpoints over HTTP: the calls of make-video's own manager, and appends that cannot lose anything. */

import { z } from 'zod'
import type { CheckpointView } from '../../../dashboard/shapes.ts'
import {
  type Checkpoint,
  isDue,
  JOB_ID,
  progressOf,
  remaining,
  STAGE,
  type StoredCheckpoint,
} from '../../../checkpoint/record.ts'
import type { CheckpointStore, ListedCheckpoint, Written } from '../../../checkpoint/store.ts'
import { type Clock, isoTime } from '../../../clock.ts'
import { etagOf, PRECONDITIONS, precondition } from './checkpoint-tags.ts'
import { CURSOR, PAGE_END, pageEnd } from '../listing.ts'
import { empty, json, limitUpTo, type Operation, operation, PLAIN, Refusal, type Reply } from '../operation.ts'

export type CheckpointSettings = {
  /** Items between two saves. */
  readonly interval: number
  readonly maxItems: number
}

const job = z.string().regex(JOB_ID, { error: 'a job id has 1 to 128 of A-Z a-z 0-9 . _ : -' })
const stage = z.string().regex(STAGE, { error: 'a stage has 1 to 64 of a-z 0-9 _' })
const count = z.int().min(0)
const attempt = count
  .optional()
  .describe('number of the attempt at the job; one older than that of the last writer is refused')
const metadata = z.record(z.string(), z.unknown())

const RECORD = z.object({
  job_id: job,
  stage,
  progress: z.number(),
  completed_items: count,
  total_items: count,
  item_ids: z.array(z.string()),
  metadata,
  timestamp: z.string(),
  revision: z.int().min(1),
  expires_at: z.iso.datetime(),
}) satisfies z.ZodType<CheckpointView>
const SUMMARY = RECORD.omit({ item_ids: true, metadata: true })

const PAGE = z.object({
  checkpoints: z.array(RECORD.partial({ item_ids: true })).describe('item_ids with `?items=true` alone'),
  ...PAGE_END,
})

/** Header field of the answer. The record has the existing service's fields. */
const ATTEMPT = 'x-breakwater-attempt'

const MISMATCH = { what: 'the precondition does not hold', schema: undefined }

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, one short entry an operation.
export function checkpointOperations(store: CheckpointStore, settings: CheckpointSettings, clock: Clock): Operation[] {
  const itemIds = z
    .array(z.string().min(1).max(512))
    .max(settings.maxItems, { error: `at most ${settings.maxItems} ids` })
  const save = z.strictObject({
    stage,
    completed_items: count,
    total_items: count,
    item_ids: itemIds.optional(),
    metadata: metadata.optional(),
    attempt,
  })
  const append = z.strictObject({
    stage,
    item_ids: itemIds,
    total_items: count.optional(),
    metadata: metadata.optional(),
    attempt,
  })
  const items = z.strictObject({
    items: z.array(z.union([z.string(), z.record(z.string(), z.unknown())], { error: 'expected ids or objects' })),
    id_key: z.string().default('id'),
    stage: stage.optional(),
  })
  const conflicts = {
    409: {
      what: 'a newer attempt has written, or another program wrote a value that is not a checkpoint',
      schema: undefined,
    },
    412: MISMATCH,
  }
  const path = '/v1/checkpoints/{job}'
  return [
    operation({
      ...PLAIN,
      id: 'saveCheckpoint',
      method: 'PUT',
      path,
      summary: 'Saves the record whole',
      params: { job },
      headers: PRECONDITIONS,
      body: save,
      answers: {
        200: { what: 'saved', schema: RECORD },
        201: { what: 'saved, the first time', schema: RECORD },
        ...conflicts,
      },
      answer: async (call) => {
        const { params, body } = call
        const { completed_items, total_items, item_ids = [], metadata: about = {} } = body
        const saved: Checkpoint = {
          stage: body.stage,
          progress: progressOf(completed_items, total_items),
          completed_items,
          total_items,
          item_ids,
          metadata: about,
          timestamp: isoTime(clock.wallNow()),
        }
        return written(await store.save(params.job, saved, precondition(call, body.attempt)), shown)
      },
    }),
    operation({
      ...PLAIN,
      id: 'appendItems',
      method: 'POST',
      path: `${path}/items`,
      summary: 'Adds finished items as a set union, atomically; a new stage starts an empty set',
      params: { job },
      headers: PRECONDITIONS,
      body: append,
      answers: {
        200: { what: 'added', schema: SUMMARY },
        201: { what: 'added to a new record', schema: SUMMARY },
        ...conflicts,
      },
      answer: async (call) => {
        const { params, body } = call
        const added = {
          stage: body.stage,
          itemIds: body.item_ids,
          totalItems: body.total_items,
          metadata: body.metadata,
        }
        return written(await store.append(params.job, added, precondition(call, body.attempt)), summary)
      },
    }),
    operation({
      ...PLAIN,
      id: 'loadCheckpoint',
      method: 'GET',
      path,
      summary: `The record, of the newest stage when none is named. ${ATTEMPT}: the highest number of an attempt that has written`,
      params: { job },
      query: { stage: stage.optional() },
      answers: { 200: { what: 'the record', schema: RECORD }, 404: { what: 'there is none', schema: undefined } },
      answer: async ({ params, query }) => {
        const record = await store.load(params.job, query.stage)
        if (record === undefined) throw new Refusal(404, 'there is no such checkpoint')
        return json(200, shown(record), { etag: etagOf(record), [ATTEMPT]: `${record.attempt}` })
      },
    }),
    operation({
      ...PLAIN,
      id: 'remainingItems',
      method: 'POST',
      path: `${path}/remaining`,
      summary: 'Unfinished items of the given list, in order',
      params: { job },
      body: items,
      answers: {
        200: {
          what: 'those not finished',
          schema: z.object({ remaining: z.array(z.unknown()), total: count, completed: count, remaining_count: count }),
        },
      },
      answer: async ({ params, body }) => {
        const { items: all, id_key, stage: named } = body
        const record = await store.load(params.job, named)
        const left = remaining(record?.checkpoint, all, id_key)
        const counts = { total: all.length, completed: all.length - left.length, remaining_count: left.length }
        return json(200, { remaining: left, ...counts })
      },
    }),
    operation({
      ...PLAIN,
      id: 'isCheckpointDue',
      method: 'GET',
      path: `${path}/due`,
      summary: `Whether a save is due: every ${settings.interval} items, and at the end`,
      params: { job },
      query: { completed: z.coerce.number().pipe(count), total: z.coerce.number().pipe(count) },
      answers: { 200: { what: 'the answer', schema: z.object({ due: z.boolean() }) } },
      answer: ({ query }) => json(200, { due: isDue(query.completed, query.total, settings.interval) }),
    }),
    operation({
      ...PLAIN,
      id: 'clearCheckpoint',
      method: 'DELETE',
      path,
      summary: 'Deletes the record and all its stages; 204 also when there was none',
      params: { job },
      headers: PRECONDITIONS,
      answers: { 204: { what: 'gone', schema: undefined }, 412: MISMATCH },
      answer: async (call) => {
        if (await store.clear(call.params.job, precondition(call, undefined))) return empty
        throw new Refusal(412, 'the precondition does not hold')
      },
    }),
    operation({
      ...PLAIN,
      id: 'listCheckpoints',
      method: 'GET',
      path: '/v1/checkpoints',
      summary: 'A page of records, in order of job',
      query: {
        stage: stage.optional(),
        limit: limitUpTo(1000),
        cursor: CURSOR,
        items: z.enum(['true', 'false']).optional().describe('whether item_ids are wanted: there may be thousands'),
      },
      answers: { 200: { what: 'a page: of `limit` records, or of 4 MiB', schema: PAGE } },
      answer: async ({ query }) => {
        const { stage: named, limit = 100, cursor, items: withItems } = query
        const page = await store.list(named, limit, cursor, withItems === 'true')
        return json(200, { checkpoints: page.records.map(shown), ...pageEnd(page) })
      },
    }),
  ]
}

const shown = ({ job: id, checkpoint, revision, expiresAt }: ListedCheckpoint) => ({
  job_id: id,
  ...checkpoint,
  revision,
  expires_at: isoTime(expiresAt),
})

/** A record without its items, of which there may be thousands. */
function summary(record: StoredCheckpoint) {
  const { item_ids: _, metadata: __, ...rest } = shown(record)
  return rest
}

/** @param told the part of the record to answer with. */
function written(result: Written, view: (record: StoredCheckpoint) => object): Reply {
  switch (result.outcome) {
    case 'saved': {
      const { record, created } = result
      return json(created ? 201 : 200, view(record), { etag: etagOf(record) })
    }
    case 'mismatch':
      throw new Refusal(412, 'the precondition does not hold')
    case 'older_attempt':
      throw new Refusal(409, `attempt ${result.attempt} has already written this checkpoint`, 'attempt')
    case 'unreadable':
      throw new Refusal(409, 'the stored record of this job is not a checkpoint: save it whole, or clear it')
    case 'too_many':
      throw new Refusal(413, `the checkpoint would have ${result.count} items`, 'item_ids')
    default:
      return result satisfies never
  }
}

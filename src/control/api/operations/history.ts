/** History over HTTP. */

import { z } from 'zod'
import type { HistoryView } from '../../../dashboard/shapes.ts'
import { fitted, type HistoryQuery, MAX_STEPS, momentMs, stepMs } from '../../history/query.ts'
import { json, type Operation, operation, PLAIN, Refusal } from '../operation.ts'

const COLUMN = z.array(z.number().nullable())
const COLUMNS = z.object({
  requests: COLUMN,
  failures: COLUMN.describe('failed; refused ones not included'),
  refusals: COLUMN.describe('refused by the sidecar without an attempt'),
  retries: COLUMN,
  saved: COLUMN.describe('succeeded after an attempt that had failed'),
  p50_ms: COLUMN,
  p99_ms: COLUMN,
  open_s: COLUMN.describe('seconds for which its breaker was open'),
  in_flight: COLUMN.describe('most requests under way at the end of a second'),
})
const HISTORY = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  step_s: z.number().describe('may be longer than asked for: as long as what is kept so far back'),
  at: z.array(z.iso.datetime()).describe('beginnings of the steps, multiples of step_s since the Unix epoch'),
  upstreams: z
    .record(z.string(), COLUMNS)
    .describe('one value a step; null where the sidecar did not run, or what it kept could not be read: see missing'),
  marks: z.array(
    z.object({
      at: z.iso.datetime(),
      kind: z.enum(['started', 'stopped', 'reloaded', 'refused', 'breaker_mode']),
      upstream: z.string().nullable(),
      detail: z.string().describe('version of the configuration, or mode of the breaker'),
    }),
  ),
  missing: z.string().nullable().describe('why what the store keeps could not be read; null when all was'),
}) satisfies z.ZodType<HistoryView>

const MOMENT = z.string().describe('ISO 8601, seconds since the Unix epoch, or -1h for an hour ago')

export type AskHistory = (query: HistoryQuery) => Promise<HistoryView>

/** @param now wall-clock ms. */
export function historyOperation(history: AskHistory, now: () => number): Operation {
  return operation({
    ...PLAIN,
    id: 'readHistory',
    method: 'GET',
    path: '/v1/history',
    summary:
      'What upstreams did, step by step: seconds of the last five minutes, minutes of seven days, hours of ninety',
    query: {
      from: MOMENT.optional(),
      to: MOMENT.optional(),
      step: z.string().describe('1s, 1m, 1h, or seconds; about 300 steps by default').optional(),
      upstream: z.string().optional(),
    },
    answers: { 200: { what: 'the history', schema: HISTORY } },
    answer: async ({ query }) => json(200, await history(asked(query, now()))),
  })
}

type Words = { readonly [name in 'from' | 'to' | 'step' | 'upstream']?: string | undefined }

function asked({ from = '-1h', to = 'now', step, upstream }: Words, now: number): HistoryQuery {
  const moment = (name: string, text: string) => {
    const at = momentMs(text, now)
    if (at === undefined) throw new Refusal(400, `${name}: expected a date, seconds since the Unix epoch, or -1h`, name)
    return at
  }
  const [since, until] = [moment('from', from), moment('to', to)]
  const length = step === undefined ? undefined : stepMs(step)
  if (step !== undefined && (length === undefined || length < 1_000))
    throw new Refusal(400, 'step: expected a length such as 1m, a second at least', 'step')
  if (until <= since) throw new Refusal(400, 'to: expected a later moment than from', 'to')
  const query = fitted(since, until, length, upstream, now)
  if ((query.to - query.from) / query.stepMs > MAX_STEPS)
    throw new Refusal(400, `step: more than ${MAX_STEPS} steps: ask for longer ones`, 'step')
  return query
}

/** Jobs over HTTP: their inputs, their computed timeouts and their deadline. */

import { z } from 'zod'
import type { Job, JobLifeView } from '../../../dashboard/shapes.ts'
import { JOB_ID } from '../../../checkpoint/record.ts'
import type { JobSync } from '../../../checkpoint/job-sync.ts'
import { type Clock, isoTime } from '../../../clock.ts'
import type { JobBook, KeptJob } from '../../../job/book.ts'
import { JOB_ENDS } from '../../../events.ts'
import { accept, type InputRule } from '../../../job/inputs.ts'
import { computeTimeout, type Inputs, type TimeoutRules } from '../../../job/timeouts.ts'
import { empty, json, limitUpTo, type Operation, operation, PLAIN, Refusal } from '../operation.ts'

export type JobSettings = { readonly inputs: readonly InputRule[]; readonly timeouts: TimeoutRules }

/** Name of the computed timeout that is a job's deadline. */
const TOTAL = 'total'

const id = z.string().regex(JOB_ID, { error: 'a job id has 1 to 128 of A-Z a-z 0-9 . _ : -' })
const SECONDS = z.record(z.string(), z.int())
const INPUTS = z.record(z.string(), z.union([z.number(), z.string()]))
const TIME = z.iso.datetime()
const LIFE = z.object({
  upstream: z.string(),
  route: z.string(),
  id: z.string(),
  state: z.enum(['running', ...JOB_ENDS]),
  status: z.string().nullable(),
  statuses: z.array(z.object({ status: z.string(), at: TIME })),
  polls: z.int(),
  attempts: z.int(),
  bytes: z.int(),
  age_s: z.number(),
  seen_at: TIME,
  ended_at: TIME.nullable(),
}) satisfies z.ZodType<JobLifeView>
const RECORD = z.object({
  job_id: id,
  inputs: INPUTS,
  timeouts: SECONDS,
  started_at: z.iso.datetime(),
  deadline_at: z.iso.datetime().nullable(),
  time_left_s: z.number().nullable(),
  life: LIFE.nullable(),
}) satisfies z.ZodType<Job>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, one short entry an operation.
export function jobOperations(jobs: JobSync, book: JobBook, settings: JobSettings, clock: Clock): Operation[] {
  const { inputs: rules, timeouts } = settings
  const shape = z.strictObject(Object.fromEntries(rules.map((rule) => [rule.name, schemaOf(rule).optional()])))
  const names = Object.keys(timeouts)
  const secondsOf = (inputs: Inputs) =>
    Object.fromEntries(names.map((name) => [name, computeTimeout(name, timeouts, inputs).seconds]))
  /** 0 after the deadline, also when the job was forgotten meanwhile. */
  const secondsLeft = (job: string) => Math.max(0, ((book.deadlineOf(job) ?? 0) - clock.now()) / 1000)
  const shown = ({ record, ...kept }: Pick<KeptJob, 'record'> & Partial<KeptJob>): Job => {
    const { id: job, inputs, startedAt, deadlineAt } = record
    return {
      job_id: job,
      inputs,
      timeouts: secondsOf(inputs),
      started_at: isoTime(startedAt),
      deadline_at: deadlineAt === undefined ? null : isoTime(deadlineAt),
      time_left_s: deadlineAt === undefined || record.end?.outcome === 'completed' ? null : secondsLeft(job),
      life: lifeOf({ record, ...kept }, clock),
    }
  }
  const path = '/v1/jobs/{id}'
  const found = {
    200: { what: 'the job, with the time left', schema: RECORD },
    404: { what: 'not registered', schema: undefined },
  }
  return [
    operation({
      ...PLAIN,
      id: 'registerJob',
      method: 'PUT',
      path,
      summary:
        'Registers the shape of a job and starts its deadline. A job that is registered stays as it is; with If-Match: * it gets the new shape, and keeps its start',
      params: { id },
      headers: ['if-match'],
      body: shape,
      answers: {
        200: { what: 'registered before', schema: RECORD },
        201: { what: 'registered', schema: RECORD },
        412: { what: 'not registered, and If-Match was sent', schema: undefined },
      },
      answer: async ({ params, body, header }) => {
        const inputs = completed(rules, body)
        const total = timeouts[TOTAL] === undefined ? undefined : computeTimeout(TOTAL, timeouts, inputs).seconds
        const { origin, end } = book.find(params.id) ?? {}
        const job = { id: params.id, inputs, totalMs: total === undefined ? undefined : total * 1000, origin, end }
        const registered = await jobs.register(job, isChange(header))
        if (registered === undefined) throw new Refusal(412, 'no such job')
        return json(registered.isNew ? 201 : 200, shown(book.entry(params.id) ?? registered))
      },
    }),
    operation({
      ...PLAIN,
      id: 'listJobs',
      method: 'GET',
      path: '/v1/jobs',
      summary: 'The jobs that are registered, and those that requests have created, the newest first',
      query: { limit: limitUpTo(1000) },
      answers: { 200: { what: 'the newest of them', schema: z.object({ jobs: z.array(RECORD), total: z.int() }) } },
      answer: ({ query }) => json(200, { jobs: book.newest(query.limit ?? 100).map(shown), total: book.size }),
    }),
    operation({
      ...PLAIN,
      id: 'loadJob',
      method: 'GET',
      path,
      summary: 'A registered job',
      params: { id },
      answers: found,
      answer: async ({ params }) => {
        await jobs.refresh(params.id)
        const kept = book.entry(params.id)
        if (kept === undefined) throw new Refusal(404, 'no such job')
        return json(200, shown(kept))
      },
    }),
    operation({
      ...PLAIN,
      id: 'forgetJob',
      method: 'DELETE',
      path,
      summary: 'Deletes a job; 204 also when there was none',
      params: { id },
      answers: { 204: { what: 'gone', schema: undefined } },
      answer: async ({ params }) => {
        await jobs.remove(params.id)
        return empty
      },
    }),
    operation({
      ...PLAIN,
      id: 'computeTimeouts',
      method: 'GET',
      path: '/v1/timeouts',
      summary: 'The computed timeouts in whole seconds, and how each came about',
      query: Object.fromEntries(rules.map((rule) => [rule.name, schemaOf(rule).optional()])),
      answers: {
        200: {
          what: 'the timeouts',
          schema: z.object({
            inputs: INPUTS,
            timeouts: SECONDS,
            terms: z.record(z.string(), z.array(z.string())),
          }),
        },
      },
      answer: ({ query }) => {
        const inputs = completed(rules, query)
        const terms = Object.fromEntries(names.map((name) => [name, computeTimeout(name, timeouts, inputs).terms]))
        return json(200, { inputs, timeouts: secondsOf(inputs), terms })
      },
    }),
  ]
}

/** What is known of a job that an upstream does; null for one that was registered by this API. */
function lifeOf(
  { record, life, startedNow }: Pick<KeptJob, 'record'> & Partial<KeptJob>,
  clock: Clock,
): JobLifeView | null {
  const { origin, end } = record
  if (origin === undefined || life === undefined || startedNow === undefined) return null
  const { upstream, route, id: ownId } = origin
  return {
    upstream,
    route,
    id: ownId,
    state: end?.outcome ?? 'running',
    status: life.statuses.at(-1)?.status ?? null,
    statuses: life.statuses.map(({ status, at }) => ({ status, at: isoTime(at) })),
    polls: life.polls,
    attempts: life.attempts,
    bytes: life.bytes,
    age_s: ((life.endedNow ?? clock.now()) - startedNow) / 1000,
    seen_at: isoTime(life.seenAt),
    ended_at: end === undefined ? null : isoTime(end.at),
  }
}

/** Also accepts a number as text, as it comes in a query. */
const schemaOf = (rule: InputRule) =>
  z.union([z.number(), z.string()]).refine((value) => accept(rule, value) !== undefined, { error: expectation(rule) })

function expectation({ byDefault, min, max }: InputRule): string {
  if (typeof byDefault === 'string') return 'expected a string of at most 100 characters'
  return Number.isFinite(min) || Number.isFinite(max)
    ? `expected a number from ${min} to ${max}`
    : 'expected a finite number'
}

function completed(rules: readonly InputRule[], given: Readonly<Record<string, unknown>>): Inputs {
  return Object.fromEntries(rules.map((rule) => [rule.name, accept(rule, given[rule.name]) ?? rule.byDefault]))
}

/** Whether a job that is registered is to get another shape. @throws Refusal 400: a job has no entity tag. */
function isChange(header: (name: string) => string | undefined): boolean {
  const value = header('if-match')?.trim()
  if (value !== undefined && value !== '*') throw new Refusal(400, 'if-match: expected *', 'if-match')
  return value !== undefined
}

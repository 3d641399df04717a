/** The `job` and `timeouts` blocks: how requests describe a job, and the timeouts computed from it. */

import { z } from 'zod'
import type { InputRule } from '../job/inputs.ts'
import type { TimeoutRules } from '../job/timeouts.ts'
import { duration, listOf, number, text, token } from './kinds/kinds.ts'
import type { Path } from './file/source.ts'

const IDENTIFIER = /^[a-z][a-z0-9_]*$/
const identifier = z.string().regex(IDENTIFIER, { error: 'a name has small letters, digits and _' })

const input = z.strictObject({
  header: token.describe('Request header with the value.').optional(),
  query: text.min(1).describe('Query parameter with the value.').optional(),
  json: text
    .regex(/^\//, { error: 'expected a JSON Pointer such as /count' })
    .describe('JSON Pointer to the value in a JSON request body.')
    .optional(),
  default: z
    .union([z.number(), text], { error: 'expected a number or a string' })
    .describe("Value when no source has one. Its type is the input's type."),
  min: z.number().describe('Smallest number that is accepted.').optional(),
  max: z.number().describe('Largest number that is accepted.').optional(),
})

/** Default header of a job's id. */
const ID_HEADER = 'x-job-id'
const MIN = '1s'
const MAX = '1d'

/** With the default as written in the file, for the docs. */
const bound = (description: string, byDefault: string) => {
  const type = duration('1ms', '7d')
  return type.default(type.parse(byDefault)).meta({ description, byDefault })
}

export const JOB = z.strictObject({
  id: z
    .strictObject({
      header: token.meta({ description: "Request header with the job's id.", byDefault: ID_HEADER }),
    })
    .optional(),
  inputs: z.record(identifier, input).describe('Inputs that describe a job, by name.').optional(),
})

export const TIMEOUTS = z.record(
  identifier,
  z.strictObject({
    base: duration('0ms', '7d').describe('Base time.').optional(),
    per: z.record(identifier, duration('0ms', '1d')).describe('Time per unit of an input, by input.').optional(),
    times: z
      .record(identifier, z.record(text, number(0, 1000)))
      .describe('Factor for base and per, by input and value.')
      .optional(),
    sum: listOf(identifier).describe('Other computed timeouts, whose unclamped values are added.').optional(),
    min: bound('Shortest timeout.', MIN),
    max: bound('Longest timeout.', MAX),
  }),
)

export type JobConfig = {
  /** Lower case. */
  readonly idHeader: string
  readonly inputs: readonly InputRule[]
}

export function resolveJob(parsed: z.infer<typeof JOB> | undefined): JobConfig {
  const inputs = Object.entries(parsed?.inputs ?? {}).map(([name, rule]) => ({
    name,
    header: rule.header?.toLowerCase(),
    query: rule.query,
    json: rule.json,
    byDefault: rule.default,
    min: rule.min ?? Number.NEGATIVE_INFINITY,
    max: rule.max ?? Number.POSITIVE_INFINITY,
  }))
  return { idHeader: parsed?.id?.header.toLowerCase() ?? ID_HEADER, inputs }
}

export function resolveTimeouts(parsed: z.infer<typeof TIMEOUTS> | undefined): TimeoutRules {
  const rules = Object.entries(parsed ?? {}).map(([name, { base = 0, per = {}, times = {}, sum = [], min, max }]) => {
    return [name, { baseMs: base, per, times, sum, minMs: min, maxMs: max }] as const
  })
  return Object.fromEntries(rules)
}

/** Conflicts: unknown names, bounds in the wrong order, and sums of sums. */
export function jobConflicts(
  job: JobConfig,
  timeouts: TimeoutRules,
): { readonly path: Path; readonly message: string }[] {
  const inputs = new Set(job.inputs.map(({ name }) => name))
  const unknownInputs = (path: Path, names: readonly string[]) =>
    names
      .filter((name) => !inputs.has(name))
      .map((name) => ({ path: [...path, name], message: 'no such input in job.inputs' }))
  return [
    ...job.inputs
      .filter(({ min, max }) => min > max)
      .map(({ name }) => ({ path: ['job', 'inputs', name, 'min'], message: 'is more than max' })),
    ...Object.entries(timeouts).flatMap(([name, { per, times, sum, minMs, maxMs }]) => [
      ...unknownInputs(['timeouts', name, 'per'], Object.keys(per)),
      ...unknownInputs(['timeouts', name, 'times'], Object.keys(times)),
      ...sum.flatMap((other, i) => {
        const path = ['timeouts', name, 'sum', i]
        if (timeouts[other] === undefined) return [{ path, message: 'no such timeout' }]
        return timeouts[other].sum.length > 0 ? [{ path, message: 'is itself a sum' }] : []
      }),
      ...(minMs > maxMs ? [{ path: ['timeouts', name, 'min'], message: 'is longer than max' }] : []),
    ]),
  ]
}

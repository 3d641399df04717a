/** `explain` over HTTP. */

import { z } from 'zod'
import type { Origins } from '../../../config/file/origins.ts'
import type { Config } from '../../../config/schema.ts'
import { answerText, answerTo } from '../../../explain/answer.ts'
import { Unanswerable } from '../../../explain/explanation.ts'
import { FAULT_CODES } from '../../../errors.ts'
import { type Moment, nowOf, nowText } from '../explain-now.ts'
import { json, type Operation, operation, PLAIN, Refusal, text } from '../operation.ts'

/** The configuration in force, and the places of its settings in its file. */
export type InForce = { readonly config: Config; readonly origins: Origins }

const QUERY = {
  upstream: z.string().optional().describe('may be left out where the path begins with it, as on the shared listener'),
  method: z
    .string()
    .regex(/^[A-Z]+$/, { error: 'expected a method in capitals' })
    .optional(),
  path: z.string().describe('with its query, percent-encoded'),
  job: z.string().optional().describe('id of a registered job, for the time that it has left'),
}

const PART = z.object({ says: z.string(), setting: z.string(), line: z.int().nullable() })

const EXPLANATION = z
  .object({
    file: z.string(),
    request: z.object({ method: z.string(), path: z.string() }),
    route: z.object({
      match: z.string().nullable(),
      line: z.int().nullable(),
      why: z.string(),
      alike: z.string().describe('paths whose calls share a Retry-After'),
    }),
    refusals: z
      .array(PART.extend({ status: z.int(), reason: z.string() }))
      .describe("answers that may come in place of the upstream's"),
    policies: z.array(z.object({ name: z.string(), parts: z.array(PART) })),
    fields: z.array(PART).describe('header fields that are added or changed'),
    wire: z.array(PART).describe('bounds of messages and connections, upgrades, TLS'),
    now: z
      .array(z.object({ about: z.string(), says: z.string(), answer: z.string().nullable() }))
      .describe('the state of this moment, with the answer that the request would get by it'),
  })
  .loose()
const ANSWER = z.union([
  EXPLANATION,
  z.object({
    file: z.string(),
    request: z.object({ method: z.string(), path: z.string() }),
    refused: z
      .object({ status: z.int(), reason: z.enum(FAULT_CODES), why: z.string() })
      .describe('the sidecar itself answers so, and calls no upstream'),
  }),
])

/** @param inForce read at each call. */
export function explainOperation(inForce: () => InForce, moment: Moment): Operation {
  const inputs = inForce().config.job.inputs.map(({ name }) => name)
  return operation({
    ...PLAIN,
    id: 'explainRequest',
    method: 'GET',
    path: '/v1/explain',
    summary:
      'The route, the policies, the timeouts and the retry schedule that a request would get, with the line that each comes from, and what the state of this moment means for it; as text for clients that accept only text/plain',
    query: { ...Object.fromEntries(inputs.map((name) => [name, z.string().optional()])), ...QUERY },
    answers: { 200: { what: 'the explanation', schema: ANSWER } },
    answer: ({ query, given, header }) => {
      const { config, origins } = inForce()
      const inputs = [...given].filter(([name]) => !Object.hasOwn(QUERY, name))
      const explanation = answered(config, origins, {
        upstream: query.upstream,
        method: query.method ?? 'GET',
        path: query.path,
        inputs: Object.fromEntries(inputs),
      })
      const isText = header('accept') === 'text/plain'
      if ('refused' in explanation) return isText ? text(answerText(explanation)) : json(200, explanation)
      const { name } = explanation.upstream
      const queue = config.upstreams.find((one) => one.name === name)?.concurrency.queue ?? 0
      const now = nowOf(moment, name, explanation.route, { queue, job: query.job })
      return isText ? text(`${answerText(explanation)}${nowText(now)}`) : json(200, { ...explanation, now })
    },
  })
}

function answered(...question: Parameters<typeof answerTo>) {
  try {
    return answerTo(...question)
  } catch (error) {
    if (error instanceof Unanswerable) throw new Refusal(400, error.message)
    throw error
  }
}

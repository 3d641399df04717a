/** Incidents over HTTP. */

import { z } from 'zod'
import type { IncidentView } from '../../../dashboard/shapes.ts'
import { REQUEST } from './request.ts'
import { json, limitUpTo, type Operation, operation, PLAIN, Refusal } from '../operation.ts'

const COST = z.object({
  requests: z.int(),
  failed: z.int().describe('refused ones not included'),
  refused: z.int(),
  retried: z.int(),
  saved: z.int().describe('succeeded after an attempt that had failed'),
  jobs: z.array(z.string()).describe('registered jobs whose requests failed or were refused; the first 20'),
  jobs_total: z.int(),
  open_s: z.number().describe('seconds for which a breaker was open'),
})
const INCIDENT = z.object({
  id: z.string(),
  kind: z.enum(['upstream', 'budget', 'deadlines', 'store', 'disk', 'reload', 'lag']),
  upstream: z.string().nullable().describe("null for trouble of the sidecar's own"),
  state: z
    .enum(['ongoing', 'quiet', 'ended'])
    .describe('quiet: the breaker admits probes and nobody calls, so that the next call decides'),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  duration_s: z.number(),
  summary: z.string(),
  signs: z.array(z.object({ at: z.iso.datetime(), sign: z.string(), text: z.string() })),
  routes: z.array(
    z.object({ route: z.string(), requests: z.int(), failed: z.int(), refused: z.int(), saved: z.int() }),
  ),
  causes: z.array(z.object({ cause: z.string(), count: z.int(), text: z.string(), example: REQUEST.nullable() })),
  cost: COST,
  advice: z.object({ text: z.string(), runbook: z.string() }),
  config_version: z.string().nullable(),
}) satisfies z.ZodType<IncidentView>

export type Told = {
  /** Newest first. */
  readonly all: () => readonly IncidentView[]
}

export function incidentOperations({ all }: Told): Operation[] {
  return [
    operation({
      ...PLAIN,
      id: 'listIncidents',
      method: 'GET',
      path: '/v1/incidents',
      summary: 'What broke, from the first sign to the recovery: causes, cost and what to do, newest first',
      query: {
        upstream: z.string().optional(),
        state: z.enum(['ongoing', 'quiet', 'ended']).optional(),
        limit: limitUpTo(1_000),
      },
      answers: { 200: { what: 'the incidents', schema: z.object({ incidents: z.array(INCIDENT) }) } },
      answer: ({ query }) => {
        const { upstream, state, limit = 100 } = query
        const meant = all().filter(
          (one) =>
            (upstream === undefined || one.upstream === upstream) && (state === undefined || one.state === state),
        )
        return json(200, { incidents: meant.slice(0, limit) })
      },
    }),
    operation({
      ...PLAIN,
      id: 'readIncident',
      method: 'GET',
      path: '/v1/incidents/{id}',
      summary: 'One incident',
      params: { id: z.string().min(1).max(200) },
      answers: {
        200: { what: 'the incident', schema: INCIDENT },
        404: { what: 'no such incident', schema: undefined },
      },
      answer: ({ params }) => {
        const found = all().find(({ id }) => id === params.id)
        if (found === undefined) throw new Refusal(404, 'no such incident')
        return json(200, found)
      },
    }),
  ]
}

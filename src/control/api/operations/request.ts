/** The newest requests over HTTP, attempt by attempt. */

import { z } from 'zod'
import type { RequestView } from '../../../dashboard/shapes.ts'
import { RETRY_DENIALS } from '../../../events.ts'
import type { Overview } from '../../live/overview.ts'
import { json, limitUpTo, type Operation, operation, PLAIN, Refusal } from '../operation.ts'

export const REQUEST = z.object({
  at: z.iso.datetime().describe('its end'),
  upstream: z.string(),
  route: z.string(),
  method: z.string(),
  path: z.string().describe('without its query'),
  status: z.int().describe('what the client got; 499 when it left first'),
  reason: z.string().nullable().describe('why the sidecar itself answered or ended it'),
  limit: z.string().nullable().describe('the setting that refused or ended it'),
  attempts: z.int(),
  total_ms: z.number(),
  first_byte_ms: z.number().nullable(),
  waits: z.object({
    queue_ms: z.number(),
    backoff_ms: z.number(),
    connect_ms: z.number(),
    breaker_ms: z.number(),
    retry_after_ms: z.number(),
  }),
  bytes_in: z.int(),
  bytes_out: z.int(),
  shared: z.boolean().describe('answered by a call that was made for others, too'),
  retry_denied: z.enum(RETRY_DENIALS).nullable().describe('why no further retry followed an outcome that is retried'),
  history: z.array(
    z.object({ at_ms: z.number(), ms: z.number(), outcome: z.string(), endpoint: z.string().nullable() }),
  ),
  request_id: z.string(),
  trace_id: z.string().nullable(),
}) satisfies z.ZodType<RequestView>

/** @param example finds the request of an id among the examples of incidents. */
export function requestOperations(
  { requests, failures }: Overview,
  example: (id: string) => RequestView | undefined,
): Operation[] {
  return [
    operation({
      ...PLAIN,
      id: 'listRequests',
      method: 'GET',
      path: '/v1/requests',
      summary: 'The newest requests that have ended, with their attempts and waits',
      query: { upstream: z.string().optional(), limit: limitUpTo(300) },
      answers: {
        200: {
          what: 'of the 300 that are kept, newest first. Of a second, those without trouble and those that were refused without an attempt are kept up to the hundredth together',
          schema: z.object({
            requests: z.array(REQUEST),
            left_out: z
              .number()
              .int()
              .describe('since the start, of all upstreams: requests beyond that hundredth, which were not kept'),
          }),
        },
      },
      answer: ({ query }) =>
        json(200, {
          requests: requests.newestFirst(query.upstream, query.limit ?? 100),
          left_out: requests.leftOut,
        }),
    }),
    operation({
      ...PLAIN,
      id: 'loadRequest',
      method: 'GET',
      path: '/v1/requests/{id}',
      summary:
        'A request by the id that its response and its log line have: one of the newest, a failure that is kept, or the example of an incident',
      params: { id: z.string().min(1).max(200) },
      answers: {
        200: { what: 'the request', schema: REQUEST },
        404: { what: 'not kept any more, or never seen', schema: undefined },
      },
      answer: ({ params }) => {
        const found = requests.find(params.id) ?? failures.find(params.id) ?? example(params.id)
        if (found === undefined) throw new Refusal(404, 'no such request among those that are kept')
        return json(200, found)
      },
    }),
  ]
}

/** Upstreams over HTTP: state, recent failures, live events, and the modes of their breakers. */

import { z } from 'zod'
import type { Failure, LimitView, UpstreamView } from '../../../dashboard/shapes.ts'
import { isoTime } from '../../../clock.ts'
import {
  BREAKER_MODES,
  type BreakerOrder,
  type BreakerSnapshot,
  type ForcedBreaker,
  type LimitSnapshot,
  type UpstreamSnapshot,
} from '../../../events.ts'
import type { Failures } from '../../live/failures.ts'
import { json, type Operation, operation, PLAIN, Refusal, streamed } from '../operation.ts'
import type { Overview } from '../../live/overview.ts'
import { durationMs } from '../../../config/kinds/units.ts'
import { percentile, type Recent } from '../../live/recent.ts'

const MODE = z.enum(BREAKER_MODES)
const BREAKER = z.object({
  route: z.string().nullable().describe("null for the upstream's own breaker"),
  endpoint: z.string().nullable().describe('null when the upstream has one endpoint'),
  mode: MODE,
  forced: z
    .object({
      since: z.iso.datetime(),
      until: z.iso.datetime().nullable().describe('null: until somebody sets another mode'),
      reason: z.string().nullable(),
      by: z.string().nullable(),
    })
    .nullable()
    .describe('what an operator said of the mode; null while it is auto'),
  state: z.enum(['closed', 'open', 'half-open']),
  consecutive_failures: z.int(),
  open_for_s: z.number(),
  probes_in_flight: z.int(),
})
const MS = z.number().nullable()
const UPSTREAM = z.object({
  name: z.string(),
  endpoints: z.array(z.object({ origin: z.string(), in_flight: z.int(), available: z.boolean() })),
  breakers: z.array(BREAKER),
  in_flight: z.int(),
  queued: z.int(),
  limit: z.int(),
  slowdown: z.number().nullable(),
  held: z.int(),
  impatient: z.array(
    z.object({
      route: z.string(),
      client: z.string(),
      patience_ms: z.number(),
      held_ms: z.number(),
      reason: z.string(),
      fix: z.string(),
    }),
  ),
  pauses: z
    .array(z.object({ paths: z.string(), waiting: z.int(), ends_in_s: z.number() }))
    .describe('where it asked to be left alone by Retry-After: how many requests wait, and for how long still'),
  connections: z.int(),
  retry_budget: z.int(),
  requests: z.object({ total: z.int(), failed: z.int() }),
  attempts: z.object({ total: z.int() }),
  resumes: z.object({ resumed: z.int(), failed: z.int() }),
  latency_ms: z.object({ p50: MS, p90: MS, p99: MS }).describe("of the last minute's requests"),
  last_error: z
    .object({ at: z.iso.datetime(), route: z.string(), reason: z.string().nullable(), status: z.int() })
    .nullable(),
}) satisfies z.ZodType<UpstreamView>
const LIMIT = z.object({
  name: z.string(),
  max: z.int(),
  in_use: z.int(),
  queued: z.int(),
}) satisfies z.ZodType<LimitView>
const UPSTREAMS = z.object({
  upstreams: z.array(UPSTREAM),
  limits: z.array(LIMIT),
  own_shares: z
    .array(z.string())
    .describe('limits of the fleet that are the own share, since its Redis does not answer'),
})
const FAILURE = z.object({
  at: z.iso.datetime(),
  upstream: z.string(),
  route: z.string(),
  method: z.string(),
  path: z.string(),
  status: z.int(),
  reason: z.string().nullable(),
  refused: z.boolean().describe('by the sidecar, without an attempt'),
  attempts: z.int(),
  total_ms: z.number(),
  history: z.array(
    z.object({ at_ms: z.number(), ms: z.number(), outcome: z.string(), endpoint: z.string().nullable() }),
  ),
  request_id: z.string(),
  trace_id: z.string().nullable(),
}) satisfies z.ZodType<Failure>
/** Longest time that a mode may be set for, in ms: what is to hold for longer belongs into the file. */
const MAX_FORCED_MS = 7 * 86_400_000
const FORCE = z.strictObject({
  mode: MODE,
  route: z.string().nullable().optional().describe("null for the upstream's own breaker; all breakers without it"),
  endpoint: z.string().optional(),
  reason: z.string().max(500).optional().describe('for the log, the page and whoever finds the breaker like this'),
  by: z.string().max(100).optional().describe('who sets it'),
  for: z
    .string()
    .refine((text) => durationMs(text) !== undefined, { error: 'expected a time such as 30m or 1h30m' })
    .optional()
    .describe('time after which the breaker is automatic again, such as 30m; at most 7d'),
  until: z.iso.datetime({ offset: true }).optional().describe('moment at which it is automatic again, instead of for'),
})
const NAME = z.string().regex(/^[a-z0-9-]{1,63}$/, { error: 'not a name of an upstream' })

export function upstreamOperations({ plane, recent, failures, live, alone }: Overview): Operation[] {
  const { upstreams, limits, setMode } = plane
  const shown = (snapshot: UpstreamSnapshot) => shownUpstream(snapshot, recent, failures)
  return [
    operation({
      ...PLAIN,
      id: 'listUpstreams',
      method: 'GET',
      path: '/v1/upstreams',
      summary: "Each upstream's endpoints, breakers, counts, latency and last error; the limits that upstreams share",
      answers: { 200: { what: 'the upstreams and the limits', schema: UPSTREAMS } },
      answer: () =>
        json(200, { upstreams: upstreams().map(shown), limits: limits().map(shownLimit), own_shares: [...alone] }),
    }),
    operation({
      ...PLAIN,
      id: 'setBreakerMode',
      method: 'PUT',
      path: '/v1/upstreams/{name}/breaker',
      summary:
        "Sets the mode of an upstream's breakers: forced open, forced closed, observe only or automatic; for a time, with a reason and a name",
      params: { name: NAME },
      body: FORCE,
      answers: {
        200: { what: 'the upstream as it is now', schema: UPSTREAM },
        404: { what: 'no such upstream, or no such breaker of it', schema: undefined },
      },
      answer: ({ params, body }) => {
        const { name } = params
        const { route, endpoint } = body
        const order = orderOf(body, plane.clock.wallNow())
        const isMeant = (breaker: Pick<BreakerSnapshot, 'route' | 'endpoint'>) =>
          (route === undefined || (breaker.route ?? null) === route) &&
          (endpoint === undefined || breaker.endpoint === endpoint)
        if (setMode(name, isMeant, order) === 0) throw new Refusal(404, 'no such breaker')
        const snapshot = upstreams().find((one) => one.name === name)
        if (snapshot === undefined) throw new Refusal(404, 'no such upstream')
        return json(200, shown(snapshot))
      },
    }),
    operation({
      ...PLAIN,
      id: 'listFailures',
      method: 'GET',
      path: '/v1/failures',
      summary: 'The newest requests that failed, attempt by attempt',
      answers: {
        200: {
          what: 'at most 100 that were tried and 100 that were not, newest first',
          schema: z.object({ failures: z.array(FAILURE) }),
        },
      },
      answer: () => json(200, { failures: failures.newestFirst() }),
    }),
    operation({
      ...PLAIN,
      id: 'watchEvents',
      method: 'GET',
      path: '/v1/events',
      summary:
        'Server-sent events: the last five minutes and the latest breaker changes, then each second, breaker changes, reloads and checkpoints',
      answers: { 200: { what: 'a stream without an end', schema: undefined } },
      answer: () => {
        const stream = live.open()
        if (stream === undefined)
          throw new Refusal(503, 'too many event streams are open', undefined, { 'retry-after': '10' })
        return streamed(stream)
      },
    }),
  ]
}

const shownLimit = ({ inUse, ...limit }: LimitSnapshot): LimitView => ({ ...limit, in_use: inUse })

function shownUpstream(snapshot: UpstreamSnapshot, recent: Recent, failures: Failures): z.infer<typeof UPSTREAM> {
  const { name } = snapshot
  const totals = recent.totalsOf(name)
  const latency = recent.latencyOf(name)
  const last = failures.lastOf(name)
  return {
    name,
    endpoints: snapshot.endpoints.map(({ origin, inFlight, isAvailable }) => ({
      origin,
      in_flight: inFlight,
      available: isAvailable,
    })),
    breakers: snapshot.breakers.map(shownBreaker),
    in_flight: snapshot.inFlight,
    queued: snapshot.queued,
    limit: snapshot.limit,
    slowdown: snapshot.slowdown ?? null,
    held: snapshot.held,
    impatient: snapshot.impatient.map(({ patienceMs, heldMs, ...one }) => ({
      ...one,
      patience_ms: patienceMs,
      held_ms: heldMs,
    })),
    pauses: snapshot.pauses.map(({ endsMs, ...pause }) => ({ ...pause, ends_in_s: Math.ceil(endsMs) / 1000 })),
    connections: snapshot.connections,
    retry_budget: snapshot.retryBudget,
    requests: { total: totals.requests, failed: totals.failed },
    attempts: { total: totals.attempts },
    resumes: { resumed: totals.resumed, failed: totals.unresumed },
    latency_ms: { p50: percentile(latency, 0.5), p90: percentile(latency, 0.9), p99: percentile(latency, 0.99) },
    last_error:
      last === undefined ? null : { at: last.at, route: last.route, reason: last.reason, status: last.status },
  }
}

/** @throws Refusal for an end that makes no sense. */
function orderOf({ mode, reason, by, for: length, until }: z.infer<typeof FORCE>, wallNow: number): BreakerOrder {
  if (length !== undefined && until !== undefined) throw new Refusal(400, 'until: there is for, too', 'until')
  const field = until === undefined ? 'for' : 'until'
  const forMs = until === undefined ? durationMs(length ?? '') : Date.parse(until) - wallNow
  if (forMs === undefined) return { mode, reason, by, forMs }
  if (mode === 'auto') throw new Refusal(400, `${field}: the mode auto has no end`, field)
  if (forMs <= 0) throw new Refusal(400, `${field}: is over already`, field)
  if (forMs > MAX_FORCED_MS) throw new Refusal(400, `${field}: at most 7d from now`, field)
  return { mode, reason, by, forMs }
}

const shownBreaker = (breaker: BreakerSnapshot) => ({
  route: breaker.route ?? null,
  endpoint: breaker.endpoint ?? null,
  mode: breaker.mode,
  forced: shownForced(breaker.forced),
  state: breaker.state,
  consecutive_failures: breaker.consecutiveFailures,
  open_for_s: Math.round(breaker.openForMs / 10) / 100,
  probes_in_flight: breaker.probesInFlight,
})

const shownForced = (forced: ForcedBreaker | undefined) =>
  forced === undefined
    ? null
    : {
        since: isoTime(forced.since),
        until: forced.until === undefined ? null : isoTime(forced.until),
        reason: forced.reason ?? null,
        by: forced.by ?? null,
      }

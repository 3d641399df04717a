/** An incident as the API, the command and the webhook tell it. */

import { isoTime } from '../clock.ts'
import type { IncidentState, IncidentView } from '../dashboard/shapes.ts'
import { faultOf, isFaultCode } from '../errors.ts'
import { adviceOf } from './advice.ts'
import { type Incident, isQuiet, openMsAt, type Sign } from './incident.ts'
import { causeText, lengthText, summaryOf } from './words.ts'

const MAX_JOBS = 20

/** @param now wall-clock ms. */
export function viewOf(incident: Incident, now: number): IncidentView {
  const { id, kind, upstream, startedAt, endedAt, signs, routes, cost, jobs, version } = incident
  const state: IncidentState = endedAt !== null ? 'ended' : isQuiet(incident, now) ? 'quiet' : 'ongoing'
  const durationMs = Math.max(0, (endedAt ?? now) - startedAt)
  const causes = causesOf(incident)
  const named = causes.map(([cause, { count }]) => [cause, count] as const)
  const byRoute = Object.entries(routes).map(([route, counts]) => ({ route, ...counts }))
  const { openMs: _, ...counts } = cost
  return {
    id,
    kind,
    upstream,
    state,
    started_at: isoTime(startedAt),
    ended_at: endedAt === null ? null : isoTime(endedAt),
    duration_s: seconds(durationMs),
    summary: summaryOf(incident, named, state, durationMs),
    signs: signs.map(shownSign),
    routes: byRoute.toSorted((a, b) => lost(b) - lost(a) || b.requests - a.requests || (a.route < b.route ? -1 : 1)),
    causes: causes.map(([cause, { count, example }]) => ({ cause, count, text: causeText(cause), example })),
    cost: {
      ...counts,
      jobs: jobs.slice(0, MAX_JOBS),
      jobs_total: jobs.length,
      open_s: seconds(openMsAt(incident, endedAt ?? now)),
    },
    advice: adviceOf(incident, named),
    config_version: version,
  }
}

/** Those of the upstream first: a refusal by a limit comes of what it did before. */
const causesOf = ({ causes }: Incident) =>
  Object.entries(causes).toSorted(
    ([a, one], [b, other]) => Number(isOwn(a)) - Number(isOwn(b)) || other.count - one.count || (a < b ? -1 : 1),
  )

const isOwn = (cause: string) => isFaultCode(cause) && faultOf(cause).whose === 'sidecar'
const lost = ({ failed, refused }: { readonly failed: number; readonly refused: number }) => failed + refused
const seconds = (ms: number) => Math.round(ms) / 1000

const shownSign = ({ at, sign, text, times, until }: Sign) => ({
  at: isoTime(at),
  sign,
  text: times === 1 ? text : `${text} (${times} times within ${lengthText(until - at)})`,
})

/** Reads facts from events. */

import type { Event, RequestEvent, RouteRef } from '../../events.ts'
import type { Fact, RequestFact } from '../../incidents/fact.ts'
import { faultLine } from '../log/reload-report.ts'
import { microseconds, shortened, toldAttempts } from '../log/attempts.ts'
import { shownRequest } from '../live/requests.ts'
import { masked } from '../log/masked.ts'

/** @param at wall-clock ms. @returns undefined for an event that tells nothing about incidents. */
export function factOf(event: Event, at: number): Fact | undefined {
  switch (event.kind) {
    case 'request':
      return event.ref === undefined ? undefined : requestOf(event, event.ref, at)
    case 'breaker': {
      const { upstream, route, endpoint, from, to, cause, failure } = event
      const openMs = event.openMs && microseconds(event.openMs)
      return { kind: 'breaker', at, upstream, route, endpoint, from, to, cause, failure, openMs }
    }
    case 'breaker_mode': {
      const { upstream, route, endpoint, mode, hasEnded } = event
      return { kind: 'mode', at, upstream, route, endpoint, mode, hasEnded }
    }
    case 'retry_denied':
      return event.why === 'budget'
        ? { kind: 'budget', at, upstream: event.ref.upstream, route: event.ref.route }
        : undefined
    case 'store':
      return { kind: 'store', at, isUp: event.isUp, why: messageOf(event.error) }
    case 'store_set_aside':
      return { kind: 'set_aside', at, why: event.why }
    case 'disk':
      return { kind: 'disk', at, isEnough: event.isEnough, details: event.details }
    case 'body_unkept': {
      const { upstream, route } = event.ref
      return event.why === 'disk' ? { kind: 'unkept', at, upstream, route, why: messageOf(event.error) } : undefined
    }
    case 'reload': {
      const { outcome, trigger, version, faults } = event
      if (trigger === 'start' && outcome === 'applied') return { kind: 'start', at, version }
      const [fault] = faults
      return { kind: 'reload', at, outcome, version, why: fault === undefined ? '' : faultLine(fault) }
    }
    case 'draining':
      return { kind: 'stop', at }
    case 'stalled':
      return { kind: 'stalled', at, ms: microseconds(event.ms) }
    default:
      return undefined
  }
}

function requestOf(event: RequestEvent, ref: RouteRef, at: number): RequestFact {
  const { upstream, route } = ref
  const { status, reason, attempts, history, job } = event
  return {
    kind: 'request',
    at,
    upstream,
    route,
    status,
    reason,
    attempts,
    outcomes: history,
    job: job && shortened(job.id),
    // The attempts as the log's line has them, so that both tell the same.
    told: () => ({
      ...shownRequest({ event: { ...event, ref }, wallAt: at }),
      history: (toldAttempts(event) ?? []).map(({ at_ms, ms, outcome, endpoint = null }) => ({
        at_ms,
        ms,
        outcome,
        endpoint,
      })),
    }),
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? masked(error.message) : '')

/** What to do about an incident: the first sentence of a section of docs/runbook.md. A test compares the two. */

import { isFaultCode, isLimitRefusal } from '../errors.ts'
import type { Incident } from './incident.ts'

export const ADVICE = {
  BreakwaterBreakerOpen:
    'Look at the upstream: is it reachable, and what does it answer? There is nothing to restart here: the breaker closes by itself.',
  BreakwaterErrorBudgetBurnsFast:
    'Look at the causes: a status is the answer of the upstream itself, a timeout means that it is too slow, a refused connection that it is not there.',
  BreakwaterEndpointsOut: 'Look at the endpoint that is out; the others carry its share meanwhile.',
  BreakwaterRetryBudgetSpent:
    'Look at the upstream: more calls fail than may be repeated. Raise `retry.budget` only where it has room for more load.',
  BreakwaterJobDeadlinesPassed:
    'Look for the client that goes on calling for a job whose time is over; if the job is right, correct `timeouts`.',
  BreakwaterSheddingLoad:
    "Compare the requests under way with the limits, and the upstream's latency with what it was: where that has grown, a higher limit makes it worse.",
  BreakwaterCheckpointStoreDown:
    'Look at the disk, or at Redis: requests go on as before, but what jobs finish is not remembered until the store is back.',
  BreakwaterReloadFailed:
    'Mend the file: the configuration from before stays in force until then. `breakwater check` names each fault.',
  'Disk full': 'Free room on the disk, or raise its size: checkpoints and kept request bodies need it.',
  'Process paused':
    'Give the sidecar more CPU, or look at what paused its machine: limits that passed meanwhile were not held against an upstream.',
  'Forced breaker': 'Ask who holds the breaker and why; `auto` lets it decide for itself again.',
} as const

type Section = keyof typeof ADVICE

/** @param causes the most frequent first. */
export function adviceOf(incident: Incident, causes: readonly (readonly [cause: string, count: number])[]) {
  const section = sectionOf(incident, causes[0]?.[0] ?? '')
  return { text: ADVICE[section], runbook: `docs/runbook.md#${section.toLowerCase().replaceAll(' ', '-')}` }
}

function sectionOf({ kind, signs, standing, cost }: Incident, first: string): Section {
  switch (kind) {
    case 'budget':
      return 'BreakwaterRetryBudgetSpent'
    case 'deadlines':
      return 'BreakwaterJobDeadlinesPassed'
    case 'store':
      return 'BreakwaterCheckpointStoreDown'
    case 'disk':
      return 'Disk full'
    case 'reload':
      return 'BreakwaterReloadFailed'
    case 'lag':
      return 'Process paused'
    case 'upstream': {
      const has = (sign: string) => signs.some((one) => one.sign === sign)
      if (has('endpoint_open') && cost.refused === 0) return 'BreakwaterEndpointsOut'
      if (has('endpoint_open') || has('breaker_open') || has('route_open')) return 'BreakwaterBreakerOpen'
      if (Object.keys(standing).length > 0 || has('breaker_forced')) return 'Forced breaker'
      return isFaultCode(first) && isLimitRefusal(first) ? 'BreakwaterSheddingLoad' : 'BreakwaterErrorBudgetBurnsFast'
    }
    default:
      return kind satisfies never
  }
}

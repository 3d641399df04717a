/** What a request adds to an incident: its cost, its causes, an example of each. */

import { isBreakerRefusal } from '../errors.ts'
import type { RequestFact } from './fact.ts'
import { addJob, type Incident, routeOf } from './incident.ts'
import { isFailedAttempt, isSaved, type Outcome } from './outcome.ts'

/** Adds a request to an incident's cost and causes. */
export function count(incident: Incident, fact: RequestFact, outcome: Outcome): void {
  const { cost } = incident
  const { attempts, job } = fact
  const route = routeOf(incident, fact.route)
  cost.requests += 1
  route.requests += 1
  cost.retried += Math.max(0, attempts - 1)
  if (attempts > 0) incident.lastCallAt = fact.at
  const isLost = outcome === 'failed' || outcome === 'refused'
  if (outcome === 'failed') {
    cost.failed += 1
    route.failed += 1
  }
  if (outcome === 'refused') {
    cost.refused += 1
    route.refused += 1
    const reason = fact.reason ?? ''
    incident.refusals[reason] = (incident.refusals[reason] ?? 0) + 1
  }
  if (isSaved(outcome, attempts, fact.outcomes)) {
    cost.saved += 1
    route.saved += 1
  }
  if (isLost && job !== undefined) addJob(incident, job)
  for (const cause of causesOf(fact, outcome)) addCause(incident, cause, fact, isLost)
}

/** Failed attempts; without one, what the request ended with. What a breaker refused was caused by others. */
function causesOf({ status, reason, attempts, outcomes }: RequestFact, outcome: Outcome): readonly string[] {
  const told = outcomes.length > 0 ? outcomes : attempts > 0 && reason === undefined ? [{ outcome: status }] : []
  const failed = told.map((one) => String(one.outcome)).filter(isFailedAttempt)
  if (failed.length > 0) return failed
  if (outcome !== 'failed' && outcome !== 'refused') return []
  if (reason !== undefined && isBreakerRefusal(reason)) return []
  return [String(reason ?? status)]
}

/** The example is of a request that was lost, if there is one. */
function addCause({ causes }: Incident, cause: string, fact: RequestFact, isLost: boolean): void {
  const known = causes[cause] ?? { count: 0, example: null, isExampleLost: false }
  causes[cause] = known
  known.count += 1
  if (known.example !== null && (known.isExampleLost || !isLost)) return
  known.isExampleLost = isLost
  known.example = fact.told()
}

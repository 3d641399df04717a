import { breakersAt, type BreakerState } from '../breaker/breakers.ts'
import type { RouteBreaker, UpstreamBreaker } from '../breaker/settings.ts'
import { triesLeft } from '../balance/balance.ts'
import { type EndpointLoad, endpointsAt } from '../balance/endpoints.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import type { Deps } from '../../deps.ts'
import type { Place, RouteOwner, Standing, UpstreamOwner } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { type Budget, type BudgetSettings, freshBudget, moved, retriesLeft } from './budget.ts'
import type { Reply } from '../exchange.ts'
import { isResumable } from '../resume/resume.ts'
import { explainRetry } from './explain.ts'
import { type Backoffs, retrying } from './retry.ts'
import { rulesOf } from './rules.ts'
import { RETRY, type RetryBudget, type RetrySettings } from './settings.ts'
import { retriesOf } from './starts.ts'
import { LOAD_WARNINGS, RETRY_WARNINGS } from './warnings.ts'

/** The upstream's budget, and the route's own where it has one. */
export type BudgetState = { readonly budget: Budget; readonly ownBudget: Budget | undefined }
type UpstreamState = { readonly budget: Budget; readonly backoffs: Backoffs }
/** What other policies do with a response body. */
type BodySettings = { readonly inspectBytes: number; readonly resume: boolean }
type RouteState = { readonly ownBudget: Budget | undefined }

/** The budget that a route's retries are taken from. */
export const budgetOf = ({ budget, ownBudget }: BudgetState): Budget => ownBudget ?? budget

/** A budget that goes on, for a window of perhaps another length. */
function goesOn(
  known: Budget | undefined,
  from: BudgetSettings | undefined,
  to: BudgetSettings,
  { clock }: Deps,
): Budget {
  if (known === undefined || from === undefined) return freshBudget()
  return from.windowMs === to.windowMs ? known : moved(known, clock.now(), from, to)
}

const ownOf = (owner: RouteOwner<RetrySettings> | undefined) => owner?.settings.retry.budget || undefined

export const retryPolicy = {
  name: 'retry',
  settings: RETRY,
  state: {
    upstream: {
      budget: {
        prepare: (
          { settings }: UpstreamOwner<RetryBudget>,
          known: Budget | undefined,
          before: UpstreamOwner<RetryBudget> | undefined,
          deps: Deps,
        ) => goesOn(known, before?.settings.retry.budget, settings.retry.budget, deps),
      },
      backoffs: { prepare: (_: UpstreamOwner, known: Backoffs | undefined): Backoffs => known ?? { waiting: 0 } },
    },
    route: {
      ownBudget: {
        prepare: (
          owner: RouteOwner<RetrySettings>,
          known: Budget | undefined,
          before: RouteOwner<RetrySettings> | undefined,
          deps: Deps,
        ): Budget | undefined => {
          const own = ownOf(owner)
          return own && goesOn(known, ownOf(before), own, deps)
        },
      },
    },
  },
  traits: ({ route: { retry, idempotent } }: Place<RetrySettings>) => ({
    idempotent,
    idempotentMethods: new Set(retry.methods),
    bodyLimits: { memory: retry.bodyBuffer.memoryBytes, disk: retry.bodyBuffer.diskBytes },
  }),
  layer: (
    place: Place<
      RetrySettings & RouteBreaker & BodySettings,
      RetryBudget & UpstreamBreaker,
      UpstreamState & RouteState & BreakerState['state'],
      EndpointLoad
    >,
  ) => {
    const { route, upstream, state, deps } = place
    const rules = {
      settings: rulesOf(route, upstream),
      budget: budgetOf(state),
      backoffs: state.backoffs,
      patienceMs: (route.breaker ?? upstream.breaker).patienceMs,
      breakers: breakersAt(place),
      inspectBytes: route.inspectBytes,
      isResumable: (reply: Reply) => route.resume && isResumable(reply, deps.clock.wallNow()),
      deps,
    }
    return retrying(rules, triesLeft(endpointsAt(place), deps))
  },
  snapshot: ({ upstream, state, deps }: Standing<RetryBudget, UpstreamState>) => ({
    retryBudget: retriesLeft(state.budget, deps.clock.now(), upstream.retry.budget),
  }),
  explain: explainRetry,
  bounds: (scope: ExplainScope<RetrySettings & DeadlineSettings>): CallBounds => {
    const { isRepeatable, whenRefused, whenTimedOut } = retriesOf(scope)
    // Where only a refused connection is retried, the upstream sees one call.
    const times = isRepeatable ? Math.max(whenRefused.length, whenTimedOut.length) : 1
    return { times, reason: `${times} attempts within total, as long as the budget has retries to give` }
  },
  conflicts: ({ retry }: RetrySettings) =>
    retry.backoff.initialMs > retry.backoff.maxMs
      ? [{ path: ['retry', 'backoff', 'initial'], message: 'is longer than backoff.max' }]
      : [],
  warnings: { route: RETRY_WARNINGS, upstream: LOAD_WARNINGS },
}

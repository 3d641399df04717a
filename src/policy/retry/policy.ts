import { breakersAt, type BreakerState } from '../breaker/breakers.ts'
import { triesLeft } from '../balance/balance.ts'
import { type EndpointLoad, endpointsAt } from '../balance/endpoints.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import type { Deps } from '../../deps.ts'
import type { Place, Standing, UpstreamOwner } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { type Budget, freshBudget, moved, retriesLeft } from './budget.ts'
import { explainRetry } from './explain.ts'
import { retrying } from './retry.ts'
import { rulesOf } from './rules.ts'
import { RETRY, type RetryBudget, type RetrySettings } from './settings.ts'
import { retriesOf } from './starts.ts'
import { LOAD_WARNINGS, RETRY_WARNINGS } from './warnings.ts'

export type BudgetState = { readonly budget: Budget }

type Owner = UpstreamOwner<RetryBudget>

export const retryPolicy = {
  name: 'retry',
  settings: RETRY,
  state: {
    upstream: {
      budget: {
        prepare: ({ settings }: Owner, known: Budget | undefined, before: Owner | undefined, { clock }: Deps) => {
          if (known === undefined || before === undefined) return freshBudget()
          const [from, to] = [before.settings.retry.budget, settings.retry.budget]
          return from.windowMs === to.windowMs ? known : moved(known, clock.now(), from, to)
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
    place: Place<RetrySettings & BreakerState['route'], RetryBudget, BudgetState & BreakerState['state'], EndpointLoad>,
  ) => {
    const elsewhere = triesLeft(endpointsAt(place), place.deps)
    return retrying(rulesOf(place.route, place.upstream), place.state.budget, breakersAt(place), elsewhere, place.deps)
  },
  snapshot: ({ upstream, state, deps }: Standing<RetryBudget, BudgetState>) => ({
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

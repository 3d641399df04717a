import { writtenMs } from '../../config/kinds/units.ts'
import type { Place } from '../policy.ts'
import { budgetOf, type BudgetState } from '../retry/policy.ts'
import { isRouteRepeatable, whyRepeatable } from '../retry/repeatable.ts'
import type { RetryBudget, RetrySettings } from '../retry/settings.ts'
import type { CallBounds, ExplainScope, RouteScope } from '../scope.ts'
import { statusesIn } from '../shared/statuses.ts'
import { hedging } from './hedge.ts'
import { HEDGE, type HedgeSettings } from './settings.ts'

type Scope = RouteScope<HedgeSettings & RetrySettings>

export const hedgePolicy = {
  name: 'hedge',
  settings: HEDGE,
  layer: ({ route, upstream, state, deps }: Place<HedgeSettings & RetrySettings, RetryBudget, BudgetState>) => {
    const { hedge, retry } = route
    if (hedge === false) return undefined
    const afterMs = hedge.afterMs === 'p95' ? undefined : hedge.afterMs
    const rules = { afterMs, max: hedge.max, poor: statusesIn(retry.on), budget: retry.budget || upstream.retry.budget }
    return hedging(rules, budgetOf(state), deps)
  },
  explain: ({ route: { hedge }, part }: ExplainScope<HedgeSettings>) => {
    if (hedge === false) return []
    const after =
      hedge.afterMs === 'p95' ? 'slower than 95 % of the route' : `that takes over ${writtenMs(hedge.afterMs)}`
    return [part('hedge', `up to ${hedge.max} more beside an attempt ${after}, from the budget of retries`)]
  },
  bounds: (scope: ExplainScope<HedgeSettings & RetrySettings>): CallBounds => {
    const { hedge } = scope.route
    if (hedge === false || !whyRepeatable(scope).isRepeatable) return {}
    return { times: 1 + hedge.max, reason: `each with up to ${hedge.max} beside it` }
  },
  warnings: {
    route: {
      'hedge-does-nothing': (scope: Scope) =>
        scope.route.hedge === false || scope.match === undefined || isRouteRepeatable(scope) !== false
          ? undefined
          : {
              at: ['hedge'] as const,
              reason: 'only what may be repeated is sent twice, and these requests may not be: hedge does nothing here',
              fix: 'idempotent: true where the upstream answers a repetition with the same result; else hedge: false',
            },

      'hedge-too-late': ({ route: { hedge }, lengths }: Scope) => {
        const limitMs = Math.min(lengths.attemptMs, lengths.totalMs)
        if (hedge === false || hedge.afterMs === 'p95' || hedge.afterMs < limitMs) return undefined
        return {
          at: ['hedge', 'timeout.attempt'] as const,
          reason: `an attempt is given up after ${writtenMs(limitMs)}, and another would be made beside it after ${writtenMs(hedge.afterMs)}: it never is`,
          fix: `an after well below ${writtenMs(limitMs)}, or p95`,
        }
      },
    },
  },
}

import { writtenMs } from '../../config/kinds/units.ts'
import { compileCondition } from '../../job/condition.ts'
import { conditionText } from '../../job/condition-text.ts'
import { limitsOf } from '../deadline/limits.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import type { FailureWhenSettings } from '../failure-when/settings.ts'
import type { Place, Standing } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { heldIn, type Hold, holding, type Polls } from './hold.ts'
import { HOLD, type HoldSettings, runningIn } from './settings.ts'
import { HOLD_WARNINGS } from './warnings.ts'

type State = { readonly polls: Polls }

export const holdPolicy = {
  name: 'hold',
  settings: HOLD,
  // Held polls end with the generation that they began in.
  state: { route: { polls: { prepare: (): Polls => new Map() } } },
  layer: ({ route, state, deps }: Place<HoldSettings & FailureWhenSettings, unknown, State>) =>
    route.hold ? holding(compiled(route.hold, route), state.polls, deps) : undefined,
  snapshot: ({ routes }: Standing<unknown, unknown, unknown, State>) => ({
    held: routes.reduce((sum, { polls }) => sum + heldIn(polls), 0),
  }),
  explain: ({ route: { hold }, method, part }: ExplainScope<HoldSettings>) =>
    hold === false || method !== 'GET'
      ? []
      : [
          part('hold.upTo', `answered when ${endText(hold)}, or after ${writtenMs(hold.upToMs)}`),
          part('hold.every', `asks the upstream every ${writtenMs(hold.everyMs)}, once for all who ask the same`),
        ],
  bounds: (scope: ExplainScope<HoldSettings & DeadlineSettings>): CallBounds => {
    const { hold } = scope.route
    if (hold === false || scope.method !== 'GET') return {}
    const more = Math.floor(Math.min(hold.upToMs, limitsOf(scope).total.ms) / hold.everyMs)
    if (more === 0) return {}
    return {
      more,
      reason: `${1 + more} polls of a hold, which share those retries`,
      isShared: true,
      best: ', held until the status changes',
    }
  },
  warnings: { route: HOLD_WARNINGS },
}

type Written = Exclude<HoldSettings['hold'], false>

const compiled = (hold: Written, { completedWhen, inspectBytes }: FailureWhenSettings): Hold => ({
  running: compileCondition(runningIn(hold)),
  completed: completedWhen === false ? undefined : compileCondition(completedWhen),
  upToMs: hold.upToMs,
  everyMs: hold.everyMs,
  limitBytes: inspectBytes,
})

function endText(hold: Written): string {
  const { json, in: list } = hold
  if (json !== undefined && list !== undefined) return `${json} is none of ${list.join(', ')}`
  return `this no longer holds: ${conditionText(runningIn(hold))}`
}

import { isDeepStrictEqual } from 'node:util'
import { writtenMs } from '../../config/kinds/units.ts'
import { compileCondition } from '../../job/condition.ts'
import { conditionText } from '../../job/condition-text.ts'
import { limitsOf } from '../deadline/limits.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import type { FailureWhenSettings } from '../failure-when/settings.ts'
import type { Place, RouteOwner, Standing } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { heldIn, type Hold, holding, type HoldState, type Polls } from './hold.ts'
import { impatientIn, type Patiences } from './patience.ts'
import { HOLD, type HoldSettings, runningIn } from './settings.ts'
import { HOLD_WARNINGS } from './warnings.ts'

type State = HoldState & { readonly impatience: ImpatienceOf }

/** What a route tells of its impatient clients. */
type ImpatienceOf = { readonly route: string; readonly hold: HoldSettings['hold'] }

type Owner = RouteOwner<HoldSettings>

export const holdPolicy = {
  name: 'hold',
  settings: HOLD,
  state: {
    route: {
      // Held polls end with the generation that they began in.
      polls: { prepare: (): Polls => new Map() },
      // Another hold may suit the clients: what is known of them begins anew.
      patiences: {
        prepare: ({ settings }: Owner, known: Patiences | undefined, before: Owner | undefined): Patiences =>
          known !== undefined && isDeepStrictEqual(before?.settings.hold, settings.hold) ? known : new Map(),
      },
      impatience: {
        prepare: ({ match, settings }: Owner): ImpatienceOf => ({ route: match, hold: settings.hold }),
      },
    },
  },
  layer: ({ route, state, deps }: Place<HoldSettings & FailureWhenSettings, unknown, State>) =>
    route.hold ? holding(compiled(route.hold, route), state, deps) : undefined,
  snapshot: ({ routes }: Standing<unknown, unknown, unknown, State>) => ({
    held: routes.reduce((sum, { polls }) => sum + heldIn(polls), 0),
    impatient: routes.flatMap(({ patiences, impatience: { route, hold } }) =>
      hold === false ? [] : impatientIn(patiences, hold).map((one) => ({ route, ...one })),
    ),
  }),
  explain: ({ route: { hold }, method, part }: ExplainScope<HoldSettings>) =>
    hold === false || method !== 'GET'
      ? []
      : [
          part(
            'hold.upTo',
            `answered when ${endText(hold)}, or after ${writtenMs(hold.upToMs)}; sooner for clients that leave sooner`,
          ),
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

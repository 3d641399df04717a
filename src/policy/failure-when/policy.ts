import { isDeepStrictEqual } from 'node:util'
import { compileCondition, type Condition } from '../../job/condition.ts'
import { conditionText } from '../../job/condition-text.ts'
import { idReader, type IdSource, namesIn } from '../../job/match.ts'
import { pointed } from '../../job/pointer.ts'
import { boundIn, type JobsSettings } from '../jobs/settings.ts'
import type { Place, RouteOwner } from '../policy.ts'
import type { ExplainScope, Names } from '../scope.ts'
import { type JobWatch, SeenIds } from './rule.ts'
import { FAILURE_WHEN, type FailureWhenSettings } from './settings.ts'
import { completedIn, type FailureWhen, keysOf, sourceOf, sourceText } from './source.ts'
import { FAILURE_WHEN_WARNINGS } from './warnings.ts'

type State = { readonly countedJobs: SeenIds }
type Owner = RouteOwner<FailureWhenSettings>

export const failureWhenPolicy = {
  name: 'failureWhen',
  settings: FAILURE_WHEN,
  state: {
    route: {
      countedJobs: {
        prepare: ({ settings }: Owner, known: SeenIds | undefined, before: Owner | undefined) =>
          known !== undefined && isDeepStrictEqual(before?.settings.failureWhen, settings.failureWhen)
            ? known
            : new SeenIds(),
      },
    },
  },
  traits: ({ match, route, state }: Place<FailureWhenSettings & JobsSettings, unknown, State>) => ({
    jobs: watchOf(match, route, state),
  }),
  explain: ({ route, part }: ExplainScope<FailureWhenSettings & JobsSettings>) => {
    const { failureWhen, completedWhen } = route
    const completed = completedWhen === false ? [] : [part('completedWhen', completedSays(completedWhen))]
    return failureWhen === false
      ? completed
      : [part('failureWhen', failedSays(failureWhen, sourceOf(failureWhen) ?? boundIn(route))), ...completed]
  },
  conflicts: ({ failureWhen, completedWhen }: FailureWhenSettings, { match }: Names) => {
    if (failureWhen === false) return []
    const at = (key: string, message: string) => ({ path: ['failureWhen', key], message })
    const source = sourceOf(failureWhen)
    const { completed, json, in: list } = keysOf(failureWhen)
    return [
      ...(source !== undefined && 'path' in source && !namesIn(match).includes(source.path)
        ? [at('oncePer', `no {${source.path}} in match`)]
        : []),
      ...(completed !== undefined && completedWhen !== false
        ? [at('completed', 'completedWhen is there, too: one of them')]
        : []),
      ...(completed !== undefined && (json === undefined || list === undefined)
        ? [at('completed', 'needs json and in: use completedWhen')]
        : []),
    ]
  },
  warnings: { route: FAILURE_WHEN_WARNINGS },
}

function failedSays(failureWhen: FailureWhen, source: IdSource | undefined): string {
  const once = source === undefined ? 'each time' : `once for each ${sourceText(source)}`
  const { json, in: list } = keysOf(failureWhen)
  return json !== undefined && list !== undefined
    ? `a 200 whose ${json} is ${list.join(' or ')} is a failure, ${once}`
    : `a response is a failure when ${conditionText(failureWhen)}, ${once}`
}

const completedSays = (condition: Condition) =>
  `a job is completed when ${conditionText(condition)}: that ends a hold, and the row of failed jobs`

function watchOf(
  match: string,
  route: FailureWhenSettings & JobsSettings,
  { countedJobs }: State,
): JobWatch | undefined {
  const { failureWhen, inspectBytes } = route
  const whenCompleted = completedIn(route)
  if (failureWhen === false && whenCompleted === undefined) return undefined
  const failed = failureWhen === false ? undefined : compileCondition(failureWhen)
  const completed = whenCompleted === undefined ? undefined : compileCondition(whenCompleted)
  const source = failureWhen === false ? undefined : (sourceOf(failureWhen) ?? boundIn(route))
  return {
    rule: {
      failed,
      completed,
      readsText: failed?.readsText === true || completed?.readsText === true,
      readsId: source !== undefined && 'json' in source,
      limitBytes: inspectBytes,
    },
    idOf: source === undefined ? undefined : idOf(source, match),
    counted: countedJobs,
  }
}

function idOf(source: IdSource, match: string): JobWatch['idOf'] {
  if (!('json' in source)) return idReader(source, match)
  return (_, report) => {
    const id = pointed(report?.json()?.value, source.json)
    return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
  }
}

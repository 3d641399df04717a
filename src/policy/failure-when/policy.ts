import { isDeepStrictEqual } from 'node:util'
import type { Place, RouteOwner } from '../policy.ts'
import type { ExplainScope, Names, RouteScope } from '../scope.ts'
import { type JobWatch, SeenIds } from './rule.ts'
import { FAILURE_WHEN, type FailureWhenSettings } from './settings.ts'

type State = { readonly countedJobs: SeenIds }
type Owner = RouteOwner<FailureWhenSettings>

/** Default of `completed`: words of services for a completed job. */
const DONE = ['completed', 'complete', 'done', 'succeeded', 'success', 'finished']

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
  traits: ({ match, route, state }: Place<FailureWhenSettings, unknown, State>) => ({
    jobs: watchOf(match, route, state),
  }),
  explain: ({ route: { failureWhen }, part }: ExplainScope<FailureWhenSettings>) => {
    if (failureWhen === false) return []
    const once = failureWhen.oncePer === undefined ? 'each time' : `once for each {${failureWhen.oncePer}}`
    return [
      part('failureWhen', `a 200 whose ${failureWhen.json} is ${failureWhen.in.join(' or ')} is a failure, ${once}`),
    ]
  },
  conflicts: ({ failureWhen }: FailureWhenSettings, { match }: Names) => {
    const name = failureWhen === false ? undefined : failureWhen.oncePer
    return name === undefined || match.includes(`{${name}}`)
      ? []
      : [{ path: ['failureWhen', 'oncePer'], message: `no {${name}} in match` }]
  },
  warnings: {
    route: {
      'failed-job-counted-again': ({ route: { failureWhen }, match }: RouteScope<FailureWhenSettings>) =>
        failureWhen === false || failureWhen.oncePer !== undefined || !match?.includes('{')
          ? undefined
          : {
              at: ['failureWhen'] as const,
              reason:
                'a job that failed is one more failure each time that it is polled: a few polls of one job open the breaker',
              fix: `oncePer: ${/\{(\w+)\}/.exec(match)?.[1]}`,
            },
    },
  },
}

function watchOf(match: string, { failureWhen }: FailureWhenSettings, { countedJobs }: State): JobWatch | undefined {
  if (failureWhen === false) return undefined
  const { json, in: failed, completed = DONE, oncePer } = failureWhen
  return {
    rule: { json, failed: new Set(failed), completed: new Set(completed) },
    idOf: oncePer === undefined ? undefined : segmentNamed(match, oncePer),
    counted: countedJobs,
  }
}

/** Reads the path segment that a route's `match` gives a name, as sent; undefined when the match has no such name. */
function segmentNamed(match: string, name: string): (path: string) => string | undefined {
  const at = match
    .slice(match.indexOf(' ') + 1)
    .split('/')
    .indexOf(`{${name}}`)
  return (path) => (at < 0 ? undefined : path.split('/')[at])
}

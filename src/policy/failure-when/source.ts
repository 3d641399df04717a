/** Parts of `failureWhen`, which is a condition with further keys, or a list of conditions. */

import type { Condition, ConditionTerm } from '../../job/condition.ts'
import type { IdSource } from '../../job/match.ts'
import type { FailureWhenSettings } from './settings.ts'

export type FailureWhen = Exclude<FailureWhenSettings['failureWhen'], false>

/** Default of `completed`: words of services for a completed job. */
const DONE = ['completed', 'complete', 'done', 'succeeded', 'success', 'finished']

type Keys = ConditionTerm & {
  readonly oncePer?: string | IdSource | undefined
  readonly completed?: readonly string[] | undefined
}

const isListed = (failureWhen: FailureWhen): failureWhen is readonly Condition[] => Array.isArray(failureWhen)

/** A list has none of the keys. */
export const keysOf = (failureWhen: FailureWhen): Keys => (isListed(failureWhen) ? {} : failureWhen)

/** Where the id of `oncePer` stands; undefined when each response counts. */
export function sourceOf(failureWhen: FailureWhen): IdSource | undefined {
  const { oncePer } = keysOf(failureWhen)
  return typeof oncePer === 'string' ? { path: oncePer } : oncePer
}

export function sourceText(source: IdSource): string {
  if ('path' in source) return `{${source.path}}`
  if ('query' in source) return `${source.query} in the query`
  return 'header' in source ? `field ${source.header}` : `${source.json} in the response`
}

/** The condition of a completed job; undefined when nothing says it. */
export function completedIn({ failureWhen, completedWhen }: FailureWhenSettings): Condition | undefined {
  if (completedWhen !== false) return completedWhen
  if (failureWhen === false) return undefined
  const { json, in: list, completed = DONE } = keysOf(failureWhen)
  return json === undefined || list === undefined ? undefined : { json, in: completed }
}

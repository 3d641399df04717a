/** Warns of failed jobs that count again, and of conditions that cannot be meant. */

import { leavesOf } from '../../job/condition.ts'
import { matchParts, namesIn } from '../../job/match.ts'
import type { JobsSettings } from '../jobs/settings.ts'
import type { RouteScope, Rules } from '../scope.ts'
import { conditionWarnings } from '../shared/condition-warnings.ts'
import { sourceOf } from './source.ts'
import type { FailureWhenSettings } from './settings.ts'

export const FAILURE_WHEN_WARNINGS: Rules<RouteScope<FailureWhenSettings & JobsSettings>> = {
  'failed-job-counted-again': ({ route: { failureWhen, job }, match }) => {
    if (failureWhen === false || job !== false || match === undefined || sourceOf(failureWhen) !== undefined)
      return undefined
    const [name] = namesIn(match)
    const { method } = matchParts(match)
    if (name === undefined && method !== 'GET' && method !== '*') return undefined
    return {
      at: ['failureWhen'],
      reason:
        'a job that failed is one more failure each time that it is polled: a few polls of one job open the breaker',
      fix:
        name === undefined
          ? "oncePer, with the place of the job's id: { query: id }, { header: x-job-id } or { json: /id }"
          : `oncePer: ${name}`,
    }
  },
  'failed-and-completed': ({ route: { failureWhen } }) => {
    if (failureWhen === false || !('completed' in failureWhen)) return undefined
    const completed = new Set(failureWhen.completed?.map((word) => word.toLowerCase()))
    const both = leavesOf(failureWhen)
      .flatMap((leaf) => leaf.in ?? [])
      .find((word) => completed.has(String(word).toLowerCase()))
    if (both === undefined) return undefined
    return {
      at: ['failureWhen.completed', 'failureWhen'],
      reason: `${both} is a word for failed jobs, too: such a job counts as failed, never as completed`,
      fix: `${both} in one of the two`,
    }
  },

  ...conditionWarnings<FailureWhenSettings>(({ failureWhen, completedWhen }) => [
    ...(failureWhen === false ? [] : [{ at: 'failureWhen', condition: failureWhen }]),
    ...(completedWhen === false ? [] : [{ at: 'completedWhen', condition: completedWhen }]),
  ]),
}

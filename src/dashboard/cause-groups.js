/** Failures grouped by cause. Refusals by a breaker are effects: they come last and hide no cause. */

import { causeOf } from './format.js'

/** @import { Failure } from './shapes.ts' */

/** @typedef {{ readonly key: string, readonly cause: string, readonly route: string, readonly count: number, readonly newest: Failure, readonly isEffect: boolean }} Group */

/** Groups of failures, causes before effects, most frequent first. @param {readonly Failure[]} newestFirst @returns {Group[]} */
export function groupsOf(newestFirst) {
  const groups = Map.groupBy(newestFirst, (failure) => `${failure.upstream} ${causeOf(failure)} ${failure.route}`)
  return [...groups]
    .flatMap(([key, [newest, ...older]]) =>
      newest === undefined
        ? []
        : [
            {
              key,
              cause: causeOf(newest),
              route: newest.route,
              count: older.length + 1,
              newest,
              isEffect: isEffect(newest),
            },
          ],
    )
    .sort((a, b) => Number(a.isEffect) - Number(b.isEffect) || b.count - a.count)
}

/** @param {Failure} failure */
const isEffect = ({ reason, refused }) => refused && (reason === 'breaker_open' || reason === 'breaker_forced')

/** @param {Group} group */
export const groupWords = ({ cause, isEffect: is }) => (is ? `${cause}: refused meanwhile, an effect` : cause)

/** Why an upstream's requests fail, grouped. Refusals by a breaker are effects: they come last and hide no cause. */

import { element, keyed, mark, say } from './element.js'
import { causeOf, count, many, recent } from './format.js'
import { hashOf } from './router.js'
import { nowOf } from './state.js'

/** @import { Failure } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @typedef {{ readonly key: string, readonly cause: string, readonly route: string, readonly count: number, readonly newest: Failure, readonly isEffect: boolean }} Group */

/** Groups of failures, causes before effects, most frequent first. @param {readonly Failure[]} newestFirst @returns {Group[]} */
function groupsOf(newestFirst) {
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

/** @param {string | undefined} upstream undefined for all of them. */
export function causeTable(upstream) {
  const list = element('ul', { class: 'causes' })
  const none = element('p', { class: 'none' }, 'No request has failed.')
  return {
    root: element('div', {}, none, list),
    /** @param {State} state */
    update: (state) => {
      const groups = groupsOf(state.failures.filter((one) => upstream === undefined || one.upstream === upstream))
      none.hidden = groups.length > 0
      keyed(
        list,
        groups.map((group) => ({ group, now: nowOf(state) })),
        ({ group }) => group.key,
        () => groupLine(upstream),
      )
    },
  }
}

/** @param {string | undefined} upstream */
function groupLine(upstream) {
  const times = element('span', { class: 'times' })
  const what = element('span', { class: 'cause' })
  const where = element('code')
  const newest = element('a')
  const root = element('li', {}, times, what, where, newest)
  return {
    root,
    /** @param {{ readonly group: Group, readonly now: string | undefined }} line */
    update: ({ group, now }) => {
      mark(root, 'data-effect', String(group.isEffect))
      say(times, `${count(group.count)} ×`)
      say(what, group.isEffect ? `${group.cause}: refused meanwhile, an effect` : group.cause)
      say(where, upstream === undefined ? `${group.newest.upstream} ${group.route}` : group.route)
      mark(newest, 'href', hashOf('requests', group.newest.request_id))
      say(newest, `newest ${recent(group.newest.at, now)}, ${many(group.newest.attempts, 'attempt')}`)
    },
  }
}

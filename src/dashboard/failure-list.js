/** Requests that failed, newest first; a row opens to what each attempt came to, as a line of time. */

import { element, keyed, say } from './element.js'
import { causeOf, length, many, timeOfDay } from './format.js'

/** @import { AttemptView, Failure } from './shapes.ts' */

const STEP = 25

/** @param {{ readonly list: Element, readonly more: HTMLButtonElement, readonly none: HTMLElement }} places */
export function failureList({ list, more, none }) {
  let shown = STEP
  /** @type {readonly Failure[]} */
  let all = []
  more.addEventListener('click', () => {
    shown += STEP
    show()
  })

  function show() {
    none.hidden = all.length > 0
    more.hidden = all.length <= shown
    say(more, `Show ${Math.min(STEP, all.length - shown)} more`)
    keyed(list, all.slice(0, shown), ({ request_id, at }) => `${at} ${request_id}`, failureRow)
  }
  return {
    /** @param {readonly Failure[]} failures */
    update: (failures) => {
      if (failures === all) return
      all = failures
      show()
    },
  }
}

/** @param {Failure} failure */
function failureRow(failure) {
  const { at, upstream, method, path, attempts, total_ms } = failure
  const row = element(
    'details',
    { 'data-failure': failure.request_id },
    element(
      'summary',
      {},
      element('time', { datetime: at }, timeOfDay(at)),
      element('span', { class: 'who' }, upstream),
      element('code', {}, `${method} ${path}`),
      element('span', { class: 'cause' }, causeOf(failure)),
      element('span', { class: 'cost' }, `${many(attempts, 'attempt')}, ${length(total_ms)}`),
    ),
  )
  row.addEventListener('toggle', () => row.append(...historyOf(failure)), { once: true })
  return { root: element('li', {}, row), update: () => {} }
}

/** @param {Failure} failure @returns {Node[]} */
function historyOf({ route, status, history, total_ms, request_id }) {
  const wholeMs = Math.max(total_ms, ...history.map(({ at_ms, ms }) => at_ms + ms), 1)
  return [
    element('p', { class: 'about' }, `Answered ${status}, route ${route}, request `, element('code', {}, request_id)),
    history.length === 0
      ? element('p', {}, 'No attempt was made.')
      : element('ol', { class: 'attempts' }, ...history.map((attempt) => attemptLine(attempt, wholeMs))),
  ]
}

/** @param {AttemptView} attempt @param {number} wholeMs */
function attemptLine({ at_ms, ms, outcome, endpoint }, wholeMs) {
  const bar = element('span', { class: 'bar' })
  bar.style.left = `${((at_ms / wholeMs) * 100).toFixed(2)}%`
  bar.style.width = `${((ms / wholeMs) * 100).toFixed(2)}%`
  return element(
    'li',
    {},
    element('span', { class: 'outcome' }, outcome),
    element('span', { class: 'span', 'aria-hidden': 'true' }, bar),
    element(
      'span',
      { class: 'when' },
      `after ${length(at_ms)}, took ${length(ms)}${endpoint === null ? '' : ` at ${endpoint}`}`,
    ),
  )
}

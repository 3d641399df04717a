/** Failed requests, newest first. A row opens to its attempts with their outcomes on a time line. */

import { element, keyed, say } from './element.js'
import { causeOf, length, many, recent } from './format.js'

/** @import { AttemptView, Failure } from './shapes.ts' */

const STEP = 25

/** @typedef {{ readonly failure: Failure, readonly now: string | undefined }} Row */

/** @param {{ readonly list: Element, readonly more: HTMLButtonElement, readonly none: HTMLElement, readonly filter: HTMLInputElement, readonly tally: Element, readonly newer: HTMLButtonElement }} places */
export function failureList({ list, more, none, filter, tally, newer }) {
  let shown = STEP
  /** @type {readonly Failure[]} */
  let all = []
  /** @type {readonly Failure[]} read but not shown while `isRead()`. */
  let latest = []
  /** @type {string | undefined} */
  let now
  more.addEventListener('click', () => {
    shown += STEP
    show()
    if (more.hidden) summaryAt(shown - STEP)?.focus()
  })
  filter.addEventListener('input', () => {
    shown = STEP
    show()
  })
  newer.addEventListener('click', () => {
    for (const row of list.querySelectorAll('details')) row.open = false
    all = latest
    show()
    summaryAt(0)?.focus()
  })

  /** @param {number} row */
  const summaryAt = (row) => list.children[row]?.querySelector('summary')
  /** Whether a row is open or has the focus. Many new failures would push that row out within a second. */
  const isRead = () => list.querySelector('details[open], :focus-visible') !== null

  function show() {
    const wanted = filter.value.trim().toLowerCase()
    const rows = wanted === '' ? all : all.filter((failure) => textOf(failure).includes(wanted))
    const waiting = newSince(all, latest)
    none.hidden = rows.length > 0
    say(none, all.length === 0 ? 'No request has failed.' : 'No failure matches.')
    say(tally, rows.length === 0 ? '' : `${Math.min(shown, rows.length)} of ${many(rows.length, 'failure')}`)
    more.hidden = rows.length <= shown
    say(more, `Show ${Math.min(STEP, rows.length - shown)} more`)
    newer.hidden = waiting === 0
    say(newer, `Show ${waiting} newer`)
    const items = rows.slice(0, shown).map((failure) => ({ failure, now }))
    keyed(list, items, ({ failure }) => keyOf(failure), failureRow)
  }
  return {
    /** @param {readonly Failure[]} failures @param {string | undefined} at the time now, by the sidecar's clock. */
    update: (failures, at) => {
      now = at
      latest = failures
      if (!isRead()) all = latest
      show()
    },
  }
}

/** @param {Failure} failure */
const keyOf = ({ at, request_id }) => `${at} ${request_id}`

/** @param {readonly Failure[]} before @param {readonly Failure[]} after */
function newSince(before, after) {
  const known = new Set(before.map(keyOf))
  return before === after ? 0 : after.filter((failure) => !known.has(keyOf(failure))).length
}

/** @param {Failure} failure */
const textOf = (failure) =>
  [failure.upstream, failure.route, failure.method, failure.path, causeOf(failure), failure.request_id]
    .join(' ')
    .toLowerCase()

/** @param {Row} row */
function failureRow({ failure }) {
  const { at, upstream, method, path, attempts, total_ms } = failure
  const time = element('time', { datetime: at, title: at })
  const row = element(
    'details',
    { 'data-failure': failure.request_id },
    element(
      'summary',
      {},
      time,
      element('span', { class: 'who' }, upstream),
      element('code', {}, `${method} ${path}`),
      element('span', { class: 'cause' }, causeOf(failure)),
      element('span', { class: 'cost' }, `${many(attempts, 'attempt')}, ${length(total_ms)}`),
    ),
  )
  row.addEventListener('toggle', () => row.append(...historyOf(failure)), { once: true })
  return {
    root: element('li', {}, row),
    /** @param {Row} row */
    update: ({ now }) => say(time, recent(at, now)),
  }
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

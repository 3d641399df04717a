/** Requests that have ended, newest first, each a link to its page. A filter by text, and one for those that failed. */

import { element, keyed, mark, say } from './element.js'
import { causeOf, isTroubled, length, many, recent } from './format.js'
import { keepFilter, setFilter } from './kept-filter.js'
import { hashOf } from './router.js'

/** @import { RequestView } from './shapes.ts' */

const STEP = 25

/** @typedef {{ readonly request: RequestView, readonly now: string | undefined }} Row */

let made = 0

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the elements of one view.
export function requestList() {
  made += 1
  const ids = { text: `request-filter-${made}`, failed: `request-failed-${made}` }
  const filter = element('input', { id: ids.text, type: 'search', autocomplete: 'off', spellcheck: 'false' })
  const failed = element('input', { id: ids.failed, type: 'checkbox' })
  const tally = element('span', { class: 'tally' })
  const newer = element('button', { type: 'button', class: 'quiet' })
  const none = element('p', { class: 'none' })
  const missing = element('p', { class: 'none left-out', hidden: true })
  const list = element('ul', { class: 'rows requests' })
  const more = element('button', { type: 'button', class: 'quiet' })
  const root = element(
    'div',
    {},
    element(
      'div',
      { class: 'filter' },
      element('label', { for: ids.text }, 'Containing'),
      filter,
      element('label', { class: 'choice', for: ids.failed }, failed, 'failed or retried only'),
      tally,
      newer,
    ),
    none,
    list,
    more,
    missing,
  )
  let shown = STEP
  /** @type {readonly RequestView[]} */
  let all = []
  /** @type {readonly RequestView[]} read but not shown while somebody reads the list. */
  let latest = []
  /** @type {string | undefined} */
  let now
  more.addEventListener('click', () => {
    shown += STEP
    show()
    if (more.hidden) linkAt(shown - STEP)?.focus()
  })
  keepFilter(filter, failed)
  for (const input of [filter, failed])
    input.addEventListener('input', () => {
      shown = STEP
      show()
    })
  newer.addEventListener('click', () => {
    all = latest
    show()
    linkAt(0)?.focus()
  })

  /** @param {number} row */
  const linkAt = (row) => list.children[row]?.querySelector('a')
  /** Whether a row has the focus. Many new requests would push that row out within a second. */
  const isRead = () => list.querySelector(':focus-visible') !== null

  function show() {
    const wanted = filter.value.trim().toLowerCase()
    const rows = all.filter((request) => (!failed.checked || isTroubled(request)) && textOf(request).includes(wanted))
    const known = new Set(all.map(keyOf))
    const waiting = all === latest ? 0 : latest.filter((request) => !known.has(keyOf(request))).length
    none.hidden = rows.length > 0
    say(none, all.length === 0 ? 'No request has ended yet.' : 'No request matches.')
    say(tally, rows.length === 0 ? '' : `${Math.min(shown, rows.length)} of the newest ${many(rows.length, 'request')}`)
    more.hidden = rows.length <= shown
    say(more, `Show ${Math.min(STEP, rows.length - shown)} more`)
    newer.hidden = waiting === 0
    say(newer, `Show ${waiting} newer`)
    keyed(
      list,
      rows.slice(0, shown).map((request) => ({ request, now })),
      ({ request }) => keyOf(request),
      requestRow,
    )
  }
  return {
    root,
    /** @param {URLSearchParams} query of the address */
    filterBy: (query) => {
      if (!setFilter(query, filter, failed)) return
      shown = STEP
      show()
    },
    /** @param {readonly RequestView[]} requests @param {string | undefined} at the time now, by the sidecar's clock. @param {number} leftOut */
    update: (requests, at, leftOut) => {
      now = at
      say(missing, leftOutWords(leftOut))
      missing.hidden = leftOut === 0
      latest = requests
      if (!isRead()) all = latest
      show()
    },
  }
}

/** @param {number} leftOut requests since the start that were not kept, of all upstreams. */
const leftOutWords = (leftOut) =>
  `Not here: ${many(leftOut, 'request')} since the start. Of a second's requests without trouble or without an attempt the first hundred are kept.`

/** @param {RequestView} request */
const keyOf = ({ at, request_id }) => `${at} ${request_id}`

/** @param {RequestView} request */
const textOf = (request) =>
  [request.upstream, request.route, request.method, request.path, request.status, request.reason, request.request_id]
    .join(' ')
    .toLowerCase()

/** @param {Row} row */
function requestRow({ request }) {
  const { at, upstream, method, path, status, reason, attempts, total_ms, request_id } = request
  const time = element('time', { datetime: at, title: at })
  const isBad = status >= 500 || reason !== null
  const outcome = element(
    'span',
    { class: isBad ? 'cause' : 'outcome' },
    isBad ? causeOf({ reason, status }) : String(status),
  )
  const link = element(
    'a',
    { href: hashOf('requests', request_id), 'data-request': request_id },
    time,
    element('span', { class: 'who' }, upstream),
    element('code', {}, `${method} ${path}`),
    outcome,
    element('span', { class: 'cost' }, `${many(attempts, 'attempt')}, ${length(total_ms)}`),
  )
  const root = element('li', {}, link)
  mark(root, 'data-bad', String(isBad))
  return {
    root,
    /** @param {Row} row */
    update: (row) => say(time, recent(at, row.now)),
  }
}

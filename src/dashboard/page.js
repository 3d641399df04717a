/** The page: joins the reader, the sentence, the views, the dialogs and the keyboard. */

import { actionsOf } from './actions.js'
import { createApi } from './api.js'
import { askToken } from './dialogs.js'
import { element, mark, say } from './element.js'
import { timeOfDay, zone } from './format.js'
import { listenForKeys } from './keys.js'
import { place } from './place.js'
import { startReader } from './reader.js'
import { lineOf } from './sentence.js'
import { sentenceView } from './sentence-view.js'
import { troublesOf } from './situation.js'
import { freshState, nowOf } from './state.js'
import { viewsOf } from './views.js'

/** @import { Link, Section } from './reader.js' */
/** @import { Sentence } from './sentence.js' */

/** Key of the token in sessionStorage, which lasts as long as the tab. */
const TOKEN = 'breakwater.token'
/** A reload of a large file may take some seconds. */
const ANSWER_MS = 20_000

const link = place('link', HTMLElement)
const main = place('main', HTMLElement)
const news = place('news', HTMLElement)
const unlock = place('unlock', HTMLButtonElement)
const pause = place('pause', HTMLButtonElement)
const top = sentenceView(place('sentence', HTMLElement))

const state = freshState()
const api = createApi(document.baseURI, () => sessionStorage.getItem(TOKEN) ?? '', newToken)

/** @type {Promise<boolean> | undefined} */
let asking
/** Asks for a token. Calls that are refused at the same time share one dialog. */
function newToken() {
  asking ??= askToken(sessionStorage.getItem(TOKEN) !== null).then((token) => {
    asking = undefined
    showLink()
    if (token !== undefined) sessionStorage.setItem(TOKEN, token)
    return token !== undefined
  })
  showLink()
  return asking
}

/** @type {{ now: Link, detail: string, since: string | undefined }} */
let linked = { now: 'live', detail: '', since: undefined }
let isConnected = false
let isPaused = false

/** Sections that a view needs; the others are read wherever one is. @type {Readonly<Partial<Record<Section, readonly string[]>>>} */
const NEEDED_BY = {
  requests: ['requests', 'upstreams'],
  jobs: ['jobs', 'health', 'upstreams'],
  history: ['now'],
}

const reader = startReader(api, state, {
  isWanted: (section) => NEEDED_BY[section]?.includes(views.current().view) ?? true,
  requestsOf: () => {
    const { view, id } = views.current()
    return view === 'upstreams' ? `&upstream=${encodeURIComponent(id)}` : ''
  },
  changed: schedule,
  link: (now, detail) => {
    isConnected ||= now === 'live'
    if (now !== linked.now || detail !== linked.detail)
      linked = { now, detail, since: now === 'live' ? undefined : (linked.since ?? new Date().toISOString()) }
    showLink()
    schedule()
  },
  trouble: (section, detail) => {
    const notice = place(`trouble-${section}`, HTMLElement)
    say(notice, detail)
    notice.hidden = detail === ''
  },
})

const actions = actionsOf(api, state, place('outcome', HTMLElement), {
  refresh: (section) => reader.refresh(section),
  begin: () => stand(false),
  changed: schedule,
  timeout: () => AbortSignal.timeout(ANSWER_MS),
  later: (act, ms) => {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
})
const get = (/** @type {string} */ path) => api.get(path, AbortSignal.timeout(ANSWER_MS))
const views = viewsOf(state, actions, {
  request: (id) => get(`v1/requests/${encodeURIComponent(id)}`),
  config: () => get('v1/config'),
  said: () => said,
  incident: (id) => get(`v1/incidents/${encodeURIComponent(id)}`),
  nowMs: () => performance.now(),
  runbook: () => api.text('page/runbook.md', AbortSignal.timeout(ANSWER_MS)),
  explain: (path) => api.text(path, AbortSignal.timeout(ANSWER_MS)),
  simulate: async (order, signal) => (await api.call('POST', 'v1/simulate', order, signal)).json(),
})

function linkNow() {
  return asking === undefined ? linked.now : 'locked'
}

function showLink() {
  const now = linkNow()
  const words = {
    live: isConnected ? 'live' : 'connecting',
    lost: `not connected: ${linked.detail}; trying again`,
    locked: 'locked: a token is needed',
  }
  say(link, now === 'live' && isPaused ? 'paused' : words[now])
  mark(link, 'data-link', now === 'live' && isPaused ? 'paused' : now)
  mark(main, 'data-stale', String(now !== 'live'))
  unlock.hidden = now !== 'locked'
}

unlock.addEventListener('click', () => {
  void newToken().then((given) => {
    if (given) reader.unlock()
  })
})
pause.addEventListener('click', () => stand(!isPaused))
place('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault() // the hash names the view
  main.focus()
})
place('reload', HTMLButtonElement).addEventListener('click', () => void actions.reload())
document.addEventListener('visibilitychange', schedule)
window.addEventListener('hashchange', () => {
  views.go()
  reader.due()
})
setInterval(schedule, 1000)
say(place('zone', HTMLElement), zone())
say(place('day-zone', HTMLElement), zone())

/** @param {string} hash */
const goTo = (hash) => {
  location.hash = hash
}
const SHORTCUTS = [
  { key: 'g n', says: 'Now', act: () => goTo('#/') },
  { key: 'g r', says: 'Requests', act: () => goTo('#/requests') },
  { key: 'g j', says: 'Jobs', act: () => goTo('#/jobs') },
  { key: 'g h', says: 'Health', act: () => goTo('#/health') },
  { key: 'g c', says: 'Configuration', act: () => goTo('#/config') },
  { key: 'g e', says: 'Explain', act: () => goTo('#/explain') },
  { key: 'g s', says: 'Simulate', act: () => goTo('#/simulate') },
  {
    key: 'w',
    says: 'What the sentence at the top is about',
    act: openWorst,
  },
  { key: '/', says: 'The filter', act: focusFilter },
  { key: 'f', says: 'Force a breaker of the upstream that is shown', act: forceShown },
  { key: 'p', says: 'Pause, and go on', act: () => stand(!isPaused) },
  { key: '?', says: 'This list', act: () => goTo('#/keys') },
]
listenForKeys(SHORTCUTS)
place('shortcuts', HTMLElement).append(
  ...SHORTCUTS.flatMap(({ key, says }) => [
    element(
      'dt',
      {},
      ...key
        .split(' ')
        .flatMap((stroke, i) => (i === 0 ? [element('kbd', {}, stroke)] : [' ', element('kbd', {}, stroke)])),
    ),
    element('dd', {}, says),
  ]),
)

function focusFilter() {
  const filters = [...document.querySelectorAll('input[type=search]')]
  const shown = filters.find((one) => one instanceof HTMLElement && one.offsetParent !== null)
  if (shown instanceof HTMLElement) shown.focus()
}

function openWorst() {
  const link = document.querySelector('#sentence .what')
  if (link instanceof HTMLElement) link.click()
}

function forceShown() {
  const { view, id } = views.current()
  if (view === 'upstreams') void actions.force(id)
}

/** @param {boolean} still whether the page stops updating. */
function stand(still) {
  isPaused = still
  mark(pause, 'aria-pressed', String(still))
  showLink()
  schedule()
}

let drawnMs = 0
/** Time of the latest sample at the first draw: earlier transitions are not announced. @type {string | undefined} */
let newsSince
let isScheduled = false

/** Draws at most twice a second. A hidden tab updates its title only. */
function schedule() {
  if (document.hidden) return void tellTop()
  if (isScheduled || isPaused) return
  isScheduled = true
  setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawnMs + 500 - performance.now()))
}

/** The first words of the sentence. */
let said = ''

/** The sentence, and the tab's title. */
function tellTop() {
  const now = linkNow()
  const troubles = troublesOf(state, { ...linked, now })
  const isKnown = state.read.has('upstreams') || now !== 'live'
  const sentence = isKnown ? top.update(state, troubles) : undefined
  said = sentence?.what ?? ''
  entitle(sentence, troubles.length)
}

/** @param {Sentence | undefined} sentence @param {number} troubles */
function entitle(sentence, troubles) {
  const sign = sentence === undefined || sentence.tone === 'well' ? '' : sentence.tone === 'unknown' ? '(?) ' : '(!) '
  const words =
    sign === '' || sentence === undefined ? 'Breakwater' : `${sign}${lineOf(sentence, troubles - 1)} – Breakwater`
  if (document.title !== words) document.title = words
}

function draw() {
  isScheduled = false
  if (document.hidden || isPaused) return // hidden or paused since schedule()
  drawnMs = performance.now()
  tellTop()
  newsSince ??= nowOf(state)
  const latest = state.transitions.find(({ to, at }) => to !== 'half-open' && at > (newsSince ?? at))
  if (latest !== undefined) say(news, `${timeOfDay(latest.at)} ${latest.upstream}: breaker ${latest.to}`)
  views.update()
}

views.show()
showLink()
reader.poll()

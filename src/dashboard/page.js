/** The page: joins the reader, the parts that show its state, and the dialogs. */

import { ApiError, createApi } from './api.js'
import { configView } from './config-view.js'
import { askForce, askToken, confirmed } from './dialogs.js'
import { keyed, mark, say } from './element.js'
import { failureList } from './failure-list.js'
import { limitWords, timeOfDay, zone } from './format.js'
import { jobList } from './job-list.js'
import { startReader } from './reader.js'
import { freshState, jobRows, nowOf } from './state.js'
import { upstreamCard } from './upstream-card.js'
import { concernsOf, titleOf, verdict } from './verdict.js'

/** @import { Link } from './reader.js' */
/** @import { CheckpointView, UpstreamView } from './shapes.ts' */

/** Key of the token in sessionStorage, which lasts as long as the tab. */
const TOKEN = 'breakwater.token'
/** A reload of a large file may take some seconds. */
const ANSWER_MS = 20_000
const OUTCOME_MS = 60_000

/** @template {HTMLElement} E @param {string} id @param {new () => E} kind @returns {E} */
function place(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`)
  return found
}

const link = place('link', HTMLElement)
const top = verdict(place('verdict', HTMLElement))
const main = place('main', HTMLElement)
const news = place('news', HTMLElement)
const outcome = place('outcome', HTMLElement)
const unlock = place('unlock', HTMLButtonElement)
const pause = place('pause', HTMLButtonElement)
const upstreams = place('upstream-cards', HTMLElement)
const limits = place('shared-limits', HTMLElement)

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

const failures = failureList({
  list: place('failures', HTMLElement),
  more: place('more-failures', HTMLButtonElement),
  none: place('no-failures', HTMLElement),
  filter: place('failure-filter', HTMLInputElement),
  tally: place('failure-tally', HTMLElement),
  newer: place('newer-failures', HTMLButtonElement),
})
const jobs = jobList(
  {
    list: place('jobs', HTMLElement),
    more: place('more-jobs', HTMLButtonElement),
    none: place('no-jobs', HTMLElement),
    filter: place('job-filter', HTMLInputElement),
    tally: place('job-tally', HTMLElement),
  },
  { load: loadCheckpoint, clear: clearCheckpoint },
)
const config = configView({
  about: place('config-about', HTMLElement),
  last: place('config-last', HTMLElement),
  text: place('config-text', HTMLElement),
})

/** @type {{ readonly now: Link, readonly detail: string }} */
let linked = { now: 'lost', detail: '' }
let isPaused = false

const reader = startReader(api, state, {
  changed: schedule,
  link: (now, detail) => {
    linked = { now, detail }
    showLink()
    schedule()
  },
  trouble: (section, detail) => {
    const notice = place(`trouble-${section}`, HTMLElement)
    say(notice, detail)
    notice.hidden = detail === ''
  },
})

function showLink() {
  const { detail } = linked
  const now = asking === undefined ? linked.now : 'locked'
  const words = {
    live: 'live',
    lost: `not connected: ${detail}; trying again`,
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
place('reload', HTMLButtonElement).addEventListener('click', () => void reload())
document.addEventListener('visibilitychange', schedule)
setInterval(schedule, 1000)
say(place('zone', HTMLElement), zone())

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
  if (document.hidden) return entitle(concernsOf(state))
  if (isScheduled || isPaused) return
  isScheduled = true
  setTimeout(() => requestAnimationFrame(draw), Math.max(0, drawnMs + 500 - performance.now()))
}

/** @param {ReturnType<typeof concernsOf>} concerns */
function entitle(concerns) {
  const words = titleOf(concerns, state, linked.now === 'live')
  if (document.title !== words) document.title = words
}

function draw() {
  isScheduled = false
  if (document.hidden || isPaused) return // hidden or paused since schedule()
  drawnMs = performance.now()
  const concerns = concernsOf(state)
  entitle(concerns)
  top.update(concerns, state, linked.now === 'live')
  newsSince ??= nowOf(state)
  const latest = state.transitions.find(({ to, at }) => to !== 'half-open' && at > (newsSince ?? at))
  if (latest !== undefined) say(news, `${timeOfDay(latest.at)} ${latest.upstream}: breaker ${latest.to}`)
  keyed(upstreams, state.upstreams, ({ name }) => name, makeCard)
  say(limits, limitWords(state.limits))
  limits.hidden = state.limits.length === 0
  if (state.read.has('failures')) failures.update(state.failures, nowOf(state))
  if (state.read.has('jobs')) jobs.update(jobRows(state, drawnMs), state.jobsInAll - state.jobs.size)
  config.update(state.config)
}

/** @param {UpstreamView} upstream */
const makeCard = (upstream) => upstreamCard(upstream, state, (name) => void force(name))

/** @param {string} name */
async function force(name) {
  const upstream = state.upstreams.find((one) => one.name === name)
  const order = upstream === undefined ? undefined : await askForce(upstream)
  if (order === undefined) return
  await act(`${name}: breaker set to ${order.mode}`, async () => {
    await send('PUT', `v1/upstreams/${encodeURIComponent(name)}/breaker`, order)
    await reader.refresh('upstreams')
  })
}

/** @param {string} job @param {string} stage @returns {Promise<CheckpointView | undefined>} undefined when the checkpoint does not exist any more. */
async function loadCheckpoint(job, stage) {
  try {
    const path = `v1/checkpoints/${encodeURIComponent(job)}?stage=${encodeURIComponent(stage)}`
    return await api.get(path, AbortSignal.timeout(ANSWER_MS))
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

/** @param {string} job */
async function clearCheckpoint(job) {
  const consequence = 'This deletes all its stages. The job would start again from the beginning.'
  if (!(await confirmed(`Clear the checkpoint of ${job}?`, consequence, 'Clear it'))) return false
  return act(`Checkpoint of ${job} cleared`, async () => {
    await send('DELETE', `v1/checkpoints/${encodeURIComponent(job)}`)
    state.progress.delete(job)
  })
}

async function reload() {
  const consequence =
    'The sidecar reads the file again and puts it in force as a whole. A file with a fault changes nothing.'
  if (!(await confirmed('Reload the configuration?', consequence, 'Reload'))) return
  await act('Configuration reloaded', () => send('POST', 'v1/config/reload'))
  await reader.refresh('config')
}

/** @param {string} method @param {string} path @param {unknown} [body] */
const send = (method, path, body) => api.call(method, path, body, AbortSignal.timeout(ANSWER_MS))

/** @type {ReturnType<typeof setTimeout> | undefined} */
let forgetting
/** Shows the outcome of an action above the page for `OUTCOME_MS`. @param {string} words */
function showOutcome(words) {
  clearTimeout(forgetting)
  say(outcome, words)
  forgetting = setTimeout(() => say(outcome, ''), OUTCOME_MS)
}

/** Runs an action and shows its outcome. @param {string} done the text after success. @param {() => Promise<unknown>} doIt */
async function act(done, doIt) {
  stand(false)
  try {
    await doIt()
    showOutcome(done)
    return true
  } catch (error) {
    const isAnswer = error instanceof ApiError
    showOutcome(isAnswer ? `Not done: ${error.message}` : 'No answer. It is not known whether the change was made.')
    return false
  } finally {
    schedule()
  }
}

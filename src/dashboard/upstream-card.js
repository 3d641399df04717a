/** The card of one upstream: its state, figures, plots and breaker transitions. */

import { breakerStrip } from './breaker-strip.js'
import { element, keyed, mark, say } from './element.js'
import {
  breakerName,
  breakerWords,
  causeOf,
  count,
  errorPercent,
  lately,
  length,
  NONE,
  recent,
  seconds,
  share,
  stateWords,
  worstState,
} from './format.js'
import { plotsOf } from './plots.js'
import { nowOf, windowOf } from './state.js'

/** @import { BreakerNews, BreakerView, UpstreamView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** Transitions that are written out. */
const MAX_TOLD = 12

/** @type {readonly (readonly [name: string, id: string, of: (upstream: UpstreamView) => string])[]} */
const FACTS = [
  ['Requests', 'requests', ({ requests }) => count(requests.total)],
  ['Failed', 'failed', ({ requests }) => count(requests.failed)],
  ['Attempts', 'attempts', ({ attempts }) => count(attempts.total)],
  ['In flight', 'in_flight', ({ in_flight, limit }) => `${in_flight} of ${count(limit)}`],
  ['Queued', 'queued', ({ queued }) => count(queued)],
  ['Held polls', 'held', ({ held }) => count(held)],
  ['Retry budget', 'retry_budget', ({ retry_budget }) => count(retry_budget)],
  ['Resumes', 'resumes', ({ resumes }) => resumesOf(resumes)],
  ['Connections', 'connections', ({ connections }) => count(connections)],
  ['p50, 1 min', 'p50', ({ latency_ms }) => length(latency_ms.p50)],
  ['p90, 1 min', 'p90', ({ latency_ms }) => length(latency_ms.p90)],
  ['p99, 1 min', 'p99', ({ latency_ms }) => length(latency_ms.p99)],
]

/** @param {UpstreamView['resumes']} resumes */
const resumesOf = ({ resumed, failed }) =>
  failed === 0 ? count(resumed) : `${count(resumed)}, ${count(failed)} failed`

/**
 * @param {UpstreamView} upstream
 * @param {State} state
 * @param {(upstream: string) => void} askForce
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the elements of one card and the function that updates them.
export function upstreamCard({ name }, state, askForce) {
  const badge = element('span', { class: 'badge' })
  const lead = element('p', { class: 'lead' })
  const breakers = element('ul', { class: 'breakers' })
  const endpoints = element('ul', { class: 'endpoints' })
  const facts = FACTS.map(([label, id]) => ({ label, value: element('dd', { 'data-fact': id }) }))
  const strip = breakerStrip(name)
  const plots = plotsOf(name)
  const lastError = element('p', { class: 'last-error' })
  const transitions = element('ol', { class: 'transitions' })
  const history = element('details', {}, element('summary', {}, 'Breaker transitions'), transitions)
  const root = element(
    'article',
    { class: 'card upstream', 'data-upstream': name, 'aria-labelledby': `upstream-${name}` },
    element(
      'header',
      {},
      element('h3', { id: `upstream-${name}` }, name),
      badge,
      element(
        'button',
        { type: 'button', class: 'quiet', 'aria-label': `Force a breaker of ${name}`, onclick: () => askForce(name) },
        'Force…',
      ),
    ),
    element('div', { class: 'status' }, lead, breakers, endpoints, lastError),
    element(
      'dl',
      { class: 'facts' },
      ...facts.map(({ label, value }) => element('div', {}, element('dt', {}, label), value)),
    ),
    strip.root,
    plots.root,
    history,
  )
  return {
    root,
    /** @param {UpstreamView} upstream */
    update: (upstream) => {
      const worst = worstState(upstream)
      const words = stateWords(upstream)
      const look = worst === 'closed' && words !== 'closed' ? 'held' : worst
      mark(root, 'data-state', look)
      mark(badge, 'data-state', look)
      say(badge, words)
      say(lead, leadOf(upstream, state))
      const nameOf = (/** @type {Pick<BreakerView, 'route' | 'endpoint'>} */ one) => breakerName(one, upstream.breakers)
      keyed(
        breakers,
        upstream.breakers.filter(isUnusual).map((breaker) => ({ breaker, called: nameOf(breaker) })),
        ({ called }) => called,
        breakerLine,
      )
      keyed(endpoints, upstream.endpoints.length > 1 ? upstream.endpoints : [], ({ origin }) => origin, endpointLine)
      facts.forEach(({ value }, i) => {
        say(value, FACTS[i]?.[2](upstream) ?? NONE)
      })
      say(lastError, errorOf(upstream, nowOf(state)))
      const windowS = windowOf(state)
      const own = state.transitions.filter((news) => news.upstream === name)
      strip.update(state.samples, own, windowS)
      plots.update(state.samples, windowS)
      history.hidden = own.length === 0
      keyed(
        transitions,
        own.slice(0, MAX_TOLD).map((news) => ({ news, called: nameOf(news), now: nowOf(state) })),
        ({ news, called }) => `${news.at} ${called} ${news.to}`,
        transitionLine,
      )
    },
  }
}

/** @param {BreakerView} breaker */
const isUnusual = (breaker) => breakerWords(breaker) !== 'closed'

/** Summary of the last minute. @param {UpstreamView} upstream @param {State} state */
function leadOf({ name, latency_ms, slowdown }, { samples }) {
  const minute = lately(samples, name, 60)
  if (minute.requests === 0) return 'No requests in the last minute.'
  const rate = minute.requests / Math.max(1, Math.min(60, samples.length))
  const slow = slowdown === null || slowdown < 1.5 ? '' : ` ${count(slowdown)} times slower than unloaded.`
  return `${count(rate)} requests/s, ${share(errorPercent(minute))} failed, p99 ${length(latency_ms.p99)}.${slow}`
}

/** @param {UpstreamView} upstream @param {string | undefined} now */
function errorOf({ last_error: error }, now) {
  return error === null
    ? 'No failure so far.'
    : `Last failure ${recent(error.at, now)}: ${causeOf(error)} on ${error.route}`
}

function breakerLine() {
  const root = element('li')
  return {
    root,
    /** @param {{ readonly breaker: BreakerView, readonly called: string }} line */
    update: ({ breaker, called }) => {
      mark(root, 'data-state', breaker.state)
      say(root, `${called}: ${breakerWords(breaker)}`)
    },
  }
}

function endpointLine() {
  const root = element('li')
  return {
    root,
    /** @param {UpstreamView['endpoints'][number]} endpoint */
    update: ({ origin, in_flight, available }) => {
      say(root, `${origin}: ${available ? '' : 'out, '}${in_flight} in flight`)
    },
  }
}

/** @param {{ readonly news: BreakerNews, readonly called: string, readonly now: string | undefined }} line */
function transitionLine({ news, called, now }) {
  const cause = news.cause === null ? '' : ` (${news.cause})`
  const open = news.open_ms === null ? '' : `, for ${seconds(news.open_ms / 1000)}`
  const words = `${recent(news.at, now)} ${called}: ${news.from} → ${news.to}${cause}${open}`
  return { root: element('li', { 'data-state': news.to }, words), update: () => {} }
}

/** The view of one upstream: in words, its figures, plots, breakers, causes of failures, live requests and jobs. */

import { badgeOf } from './badges.js'
import { breakerStrip } from './breaker-strip.js'
import { breakerTable } from './breaker-table.js'
import { causeTable } from './causes.js'
import { element, keyed, mark, say } from './element.js'
import { breakerName, count, length, NONE, pauseWords, recent, seconds } from './format.js'
import { plotsOf } from './plots.js'
import { requestList } from './request-list.js'
import { hashOf } from './router.js'
import { sentenceView } from './sentence-view.js'
import { standingOf } from './situation.js'
import { nowOf, windowOf } from './state.js'
import { upstreamJobs } from './upstream-jobs.js'

/** @import { BreakerNews, IncidentView, UpstreamView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** Transitions that are written out, and incidents. */
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
 * @param {string} name
 * @param {State} state
 * @param {(upstream: string) => void} askForce
 * @param {() => string} said the first words of the sentence at the top, which are not said twice.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: the elements of one view and the function that updates them.
export function upstreamView(name, state, askForce, said) {
  const badge = element('span', { class: 'badge' })
  const told = element('div', { class: 'told' })
  const sentence = sentenceView(told)
  const none = element('p', { class: 'none' }, 'The configuration in force has no such upstream.')
  const endpoints = element('ul', { class: 'endpoints' })
  const pauses = element('ul', { class: 'pauses' })
  const facts = FACTS.map(([label, id]) => ({ label, value: element('dd', { 'data-fact': id }) }))
  const breakers = breakerTable()
  const causes = causeTable(name)
  const strip = breakerStrip(name)
  const plots = plotsOf(name)
  const requests = requestList()
  const jobs = upstreamJobs(name)
  const incidents = element('ul', { class: 'rows' })
  const calm = element('p', { class: 'none' }, 'None is known.')
  const transitions = element('ol', { class: 'transitions' })
  const history = element('details', {}, element('summary', {}, 'Breaker transitions'), transitions)
  const force = element(
    'button',
    { type: 'button', class: 'quiet', 'aria-label': `Force a breaker of ${name}`, onclick: () => askForce(name) },
    'Force…',
  )
  const figures = element(
    'dl',
    { class: 'facts' },
    ...facts.map(({ label, value }) => element('div', {}, element('dt', {}, label), value)),
  )
  const body = element(
    'div',
    { class: 'upstream' },
    element(
      'div',
      {},
      card('How it stands', told, figures),
      card('Why requests fail', causes.root),
      card('Breakers', breakers.root, pauses, endpoints, history),
      card('Incidents', calm, incidents),
    ),
    element('div', {}, card('The last minutes', strip.root, plots.root), card('Jobs', jobs.root)),
    element('div', { class: 'whole' }, card('Requests, live', requests.root)),
  )
  const root = element(
    'div',
    { 'data-upstream': name },
    element('header', { class: 'title' }, element('h2', { id: 'view-title', tabindex: '-1' }, name), badge, force),
    none,
    body,
  )
  return {
    root,
    requests,
    update: () => {
      const upstream = state.upstreams.find((one) => one.name === name)
      none.hidden = upstream !== undefined || !state.read.has('upstreams')
      body.hidden = upstream === undefined
      force.hidden = upstream === undefined
      if (upstream === undefined) return
      const standing = standingOf(upstream, state)
      const { words, look } = badgeOf(standing)
      mark(badge, 'data-look', look)
      say(badge, words)
      told.hidden = sentence.update(state, [standing]).what === said()
      breakers.update(upstream, nowOf(state))
      causes.update(state)
      keyed(endpoints, upstream.endpoints.length > 1 ? upstream.endpoints : [], ({ origin }) => origin, endpointLine)
      keyed(pauses, upstream.pauses, ({ paths }) => paths, pauseLine)
      facts.forEach(({ value }, i) => {
        say(value, FACTS[i]?.[2](upstream) ?? NONE)
      })
      const windowS = windowOf(state)
      const own = state.transitions.filter((news) => news.upstream === name)
      strip.update(state.samples, own, windowS)
      plots.update(state.samples, windowS)
      jobs.update(state)
      requests.update(
        state.requests.filter((one) => one.upstream === name),
        nowOf(state),
        state.leftOut,
      )
      keyed(
        incidents,
        state.incidents
          .filter((one) => one.upstream === name)
          .slice(0, MAX_TOLD)
          .map((incident) => ({ incident, now: nowOf(state) })),
        ({ incident }) => incident.id,
        incidentLine,
      )
      calm.hidden = incidents.childElementCount > 0
      history.hidden = own.length === 0
      keyed(
        transitions,
        own
          .slice(0, MAX_TOLD)
          .map((news) => ({ news, called: breakerName(news, upstream.breakers), now: nowOf(state) })),
        ({ news, called }) => `${news.at} ${called} ${news.to}`,
        transitionLine,
      )
    },
  }
}

/** @param {string} title @param {...Node} content */
const card = (title, ...content) => element('section', { class: 'card' }, element('h3', {}, title), ...content)

function pauseLine() {
  const root = element('li')
  return { root, update: (/** @type {UpstreamView['pauses'][number]} */ pause) => say(root, pauseWords(pause)) }
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

/** An incident as a link to its page. */
export function incidentLine() {
  const link = element('a')
  const when = element('span', { class: 'when' })
  return {
    root: element('li', {}, when, ' ', link),
    /** @param {{ readonly incident: IncidentView, readonly now: string | undefined }} line */
    update: ({ incident, now }) => {
      const { id, started_at, duration_s, state, summary } = incident
      mark(link, 'href', hashOf('incidents', id))
      say(link, summary)
      say(when, `${recent(started_at, now)}, ${state === 'ended' ? seconds(duration_s) : state}`)
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

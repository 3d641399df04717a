/**
 * The sentence at the top of the page: what broke, since when, what it costs, and what to do, about the worst trouble. Pure:
 * the same state gives the same words.
 */

import { ago, breakerName, count, length, many, recent, seconds, timeOfDay, zoneAt } from './format.js'
import { isAnswered429, standingsOf } from './situation.js'
import { nowOf } from './state.js'

/** @import { BreakerView } from './shapes.ts' */
/** @import { Cost, Own, Standing, Trouble } from './situation.js' */
/** @import { State } from './state.js' */

/**
 * `tone`: how it looks. `do`: what somebody does now. `at`: the view that shows more. `runbook`: a page of the project, '' for none.
 * @typedef {{ readonly tone: 'well' | 'warn' | 'bad' | 'unknown', readonly what: string, readonly since: string, readonly cost: string, readonly do: string, readonly at: string, readonly runbook: string }} Sentence
 */

/** Kinds that are no failure yet. @type {ReadonlySet<string>} */
const WARNINGS = new Set([
  'trying',
  'slow',
  'forced',
  'limited',
  'overload',
  'unreachable',
  'refused',
  'restart',
  'disk',
  'check',
  'budget',
  'deadlines',
  'lag',
  'draining',
])
/** Causes that are named. */
const MAX_CAUSES = 3

/** @param {State} state @param {readonly Trouble[]} troubles worst first. @returns {Sentence} */
export function sentenceOf(state, troubles) {
  const [worst] = troubles
  if (worst === undefined) return wellOf(state)
  const now = nowOf(state)
  return 'upstream' in worst ? aboutUpstream(worst, now) : aboutSidecar(worst, state)
}

/** @param {State} state @returns {Sentence} */
function wellOf(state) {
  const { upstreams } = state
  if (upstreams.length === 0)
    return { tone: 'unknown', what: 'No upstream is known yet', since: '', cost: '', do: '', at: '#/', runbook: '' }
  const standings = standingsOf(state)
  const total = standings.reduce(
    (sum, { cost }) => ({ requests: sum.requests + cost.requests, saved: sum.saved + cost.saved }),
    { requests: 0, saved: 0 },
  )
  const quiet = standings.filter(({ kind }) => kind === 'quiet').map(({ upstream }) => upstream.name)
  const over = seconds(Math.max(1, state.samples.length))
  const saved = total.saved === 0 ? '' : `, ${count(total.saved)} of them saved by retries`
  const past = quiet.length === 0 ? '' : `; ${namesOf(quiet)} failed and ${hasOrHave(quiet)} not been called since`
  return {
    tone: 'well',
    what: quiet.length > 0 || total.requests === 0 ? 'No trouble is known' : allWell(upstreams.map(({ name }) => name)),
    since: '',
    cost: `${total.requests === 0 ? 'no request' : many(total.requests, 'request')} in the last ${over}${saved}${past}`,
    do: past === '' ? 'nothing to do' : 'nothing to do: the next request decides',
    at: '#/',
    runbook: '',
  }
}

/** @param {readonly string[]} names */
function allWell(names) {
  if (names.length === 1) return `${names[0]} is well`
  return names.length === 2 ? 'Both upstreams are well' : `All ${names.length} upstreams are well`
}

/** @param {readonly string[]} names */
const hasOrHave = (names) => (names.length === 1 ? 'has' : 'have')

/** @param {readonly string[]} names */
const namesOf = (names) =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`

/** @param {Standing} standing @param {string | undefined} now @returns {Sentence} */
function aboutUpstream(standing, now) {
  const { kind, upstream, since, incident } = standing
  const { what, todo } = WORDS[kind](standing, now)
  return {
    tone: WARNINGS.has(kind) ? 'warn' : 'bad',
    what: `${upstream.name} ${what}`,
    since: sinceWords(since, now),
    cost: costWords(standing.cost),
    do: todo,
    at: `#/upstreams/${encodeURIComponent(upstream.name)}`,
    runbook: kind === 'forced' ? '' : (incident?.advice.runbook ?? ''),
  }
}

/** What an upstream's state is called, and what to do about it. @type {Readonly<Record<Standing['kind'], (standing: Standing, now: string | undefined) => { readonly what: string, readonly todo: string }>>} */
const WORDS = {
  down: (one) => ({
    what: `is down${because(one)}`,
    todo: `nothing here: the sidecar ${retryWords(one.open)}; mend ${one.upstream.name} (${whereOf(one)})`,
  }),
  broken: (one) => ({
    what: `is broken at ${one.open.map((breaker) => breakerName(breaker, one.upstream.breakers)).join(', ')}${because(one)}`,
    todo: `nothing here: the sidecar ${retryWords(one.open)}; look at that part of ${one.upstream.name}`,
  }),
  failing: (one) => ({
    what: `fails${because(one)}`,
    todo: `look at ${one.upstream.name} (${whereOf(one)}); its breaker is still closed`,
  }),
  limited: (one) => ({
    what: isAnswered429(one) ? 'asks for fewer requests (429)' : 'asks to be left alone for a while (Retry-After)',
    todo: `${pausedWords(one)}send it less (rate in the configuration), or ask ${one.upstream.name} for more`,
  }),
  overload: (one) => ({
    what: `gets more requests than its limits let through${because(one)}`,
    todo:
      one.upstream.slowdown !== null && one.upstream.slowdown > 1.5
        ? 'it has become slower: a higher limit makes it worse; send it less'
        : 'send it less, or raise concurrency.max or rate if it has room',
  }),
  unreachable: () => ({
    what: 'does not answer its health check, and nobody calls it',
    todo: 'see whether it runs and whether its url is right',
  }),
  slow: (one) => ({
    what: `is ${count(one.upstream.slowdown ?? 0)} times slower than unloaded (p99 ${length(one.upstream.latency_ms.p99)})`,
    todo: `look at ${one.upstream.name}: its load and what it waits for`,
  }),
  forced: (one, now) => forcedWords(one, now),
  well: () => ({ what: 'is well', todo: '' }),
  quiet: () => ({ what: 'failed and has not been called since', todo: 'the next request decides' }),
  idle: () => ({ what: 'is not called', todo: '' }),
}

/** @param {Standing} one @param {string | undefined} now */
function forcedWords({ forced, upstream }, now) {
  const [first] = forced
  const mode =
    new Set(forced.map((breaker) => breaker.mode)).size === 1
      ? (first?.mode.replace('-', ' ') ?? '')
      : 'held in several modes'
  const which =
    forced.length === upstream.breakers.length
      ? ''
      : ` (${forced.map((breaker) => breakerName(breaker, upstream.breakers)).join(', ')})`
  const said = first?.forced
  const by = said?.by ? ` by ${said.by}` : ''
  const reason = said?.reason ? `: “${said.reason}”` : ', without a reason'
  const end = said?.until ? `, until ${recent(said.until, now)}` : ', without an end'
  const word = mode === 'observe' ? 'only observed' : mode
  return { what: `is ${word}${which}${by}${end}${reason}`, todo: 'set it to automatic if that is over' }
}

/** @param {Standing} one */
const pausedWords = ({ upstream }) => {
  const longest = Math.max(...upstream.pauses.filter(({ waiting }) => waiting > 0).map(({ ends_in_s }) => ends_in_s))
  if (!Number.isFinite(longest)) return ''
  return longest > 0
    ? `the sidecar sends the waiting ones when its Retry-After ends, in ${seconds(longest)}; `
    : 'the sidecar sends the waiting ones one after the other; '
}

/** @param {Standing} one */
const because = ({ causes }) => (causes.length === 0 ? '' : ` (${causesWords(causes)})`)

/** @param {Standing['causes']} causes */
const causesWords = (causes) =>
  causes
    .slice(0, MAX_CAUSES)
    .map(({ cause, count: times }) => `${count(times)} × ${/^\d+$/.test(cause) ? `HTTP ${cause}` : cause}`)
    .join(', ')

/** Where to look. @param {Standing} one */
function whereOf({ causes }) {
  const cause = causes[0]?.cause ?? ''
  if (cause === 'connect_refused' || cause === 'dns_error' || cause === 'unreachable')
    return 'is it running, and is its url right?'
  if (/timeout/.test(cause)) return 'it answers too late'
  return 'its own log says why'
}

/** @param {readonly BreakerView[]} open */
function retryWords(open) {
  if (open.some(({ state }) => state === 'half-open')) return 'is trying it again now'
  const soonest = Math.min(...open.map(({ open_for_s }) => open_for_s))
  return soonest >= 0.5 && Number.isFinite(soonest)
    ? `tries it again in ${seconds(soonest)}`
    : 'tries it with the next request'
}

/** @param {Cost} cost */
export function costWords({ failed, refused, saved, limited, jobs, waiting, requests, seconds: over }) {
  const parts = [
    ...(failed === 0 ? [] : [`${count(failed)} failed`]),
    ...(refused === 0 ? [] : [`${count(refused)} refused`]),
    ...(limited === 0 ? [] : [`${many(limited, 'attempt')} answered 429`]),
    ...(saved === 0 ? [] : [`${count(saved)} saved by retries`]),
    ...(jobs === 0 ? [] : [`${many(jobs, 'job')} touched`]),
  ]
  const when = over === undefined ? '' : ` in the last ${seconds(Math.max(1, over))}`
  const rest = waiting === 0 ? '' : `; ${many(waiting, 'request waits', 'requests wait')} now`
  if (parts.length > 0) return `of ${many(requests, 'request')}${when} ${parts.join(', ')}${rest}`
  return requests === 0 ? `no request ended${when}${rest}` : `none of ${many(requests, 'request')} failed${when}${rest}`
}

/** @param {string | undefined} since @param {string | undefined} now */
function sinceWords(since, now) {
  if (since === undefined) return ''
  const passed = now === undefined ? NaN : (Date.parse(now) - Date.parse(since)) / 1000
  return `since ${recent(since, now)} ${zoneAt(since)}${Number.isFinite(passed) && passed >= 1 ? ` (${ago(passed)})` : ''}`
}

/** @type {Readonly<Record<Own['kind'], (own: Own, state: State) => Omit<Sentence, 'tone' | 'since' | 'runbook'>>>} */
const OWN = {
  lost: ({ detail }, state) => {
    const at = nowOf(state)
    const stale = at === undefined ? 'nothing is known' : `what you see below is as of ${timeOfDay(at)}`
    return {
      what: `The page has lost the sidecar (${detail})`,
      cost: stale,
      do: 'see whether its process runs and whether its control listener can be reached; the page tries again',
      at: '#/health',
    }
  },
  locked: () => ({
    what: 'The page is locked',
    cost: 'nothing is known',
    do: 'enter the token of control.token',
    at: '#/',
  }),
  store: ({ detail }) => ({
    what: `The checkpoint store is down (${detail})`,
    cost: 'jobs can neither save nor load checkpoints; requests go on as before',
    do: 'see whether its disk or its Redis is there; the sidecar goes on by itself',
    at: '#/health',
  }),
  draining: () => ({
    what: 'The sidecar is ending',
    cost: 'it takes no new requests and finishes those under way',
    do: 'nothing: it was told to stop',
    at: '#/health',
  }),
  disk: ({ detail }) => ({
    what: `The disk runs full (${detail})`,
    cost: 'checkpoints and kept bodies need room',
    do: 'make room',
    at: '#/health',
  }),
  check: ({ detail }) => ({
    what: `A health check fails (${detail})`,
    cost: 'requests are not affected by it',
    do: 'see what the check names',
    at: '#/health',
  }),
  refused: ({ detail }) => ({
    what: `The changed configuration was refused (${detail})`,
    cost: 'the earlier one stays in force',
    do: 'mend the file, which is then read by itself',
    at: '#/config',
  }),
  restart: ({ detail }) => ({
    what: `A changed setting waits for a restart (${detail})`,
    cost: 'its old value stays in force',
    do: 'restart the sidecar when it suits',
    at: '#/config',
  }),
  budget: ({ detail }) => ({
    what: `The retry budget of ${detail} is spent`,
    cost: 'failures reach clients without a retry',
    do: 'look at the upstream; raise retry.budget only if it has room',
    at: `#/upstreams/${encodeURIComponent(detail.split(', ')[0] ?? '')}`,
  }),
  deadlines: ({ detail }) => ({
    what: detail,
    cost: 'their requests are refused',
    do: 'look at the jobs: a loop, or too short a time',
    at: '#/jobs',
  }),
  lag: ({ detail }) => ({
    what: detail,
    cost: 'requests are late by that',
    do: 'give the sidecar more CPU',
    at: '#/health',
  }),
}

/** @param {Own} own @param {State} state @returns {Sentence} */
function aboutSidecar(own, state) {
  const { kind, since, incident } = own
  const words = OWN[kind](own, state)
  return {
    ...words,
    tone: kind === 'lost' || kind === 'locked' ? 'unknown' : WARNINGS.has(kind) ? 'warn' : 'bad',
    since: sinceWords(since, kind === 'lost' ? undefined : nowOf(state)),
    runbook: incident?.advice.runbook ?? '',
  }
}

/** The same as one line of text, for the tab's title and for what is spoken. @param {Sentence} sentence @param {number} others */
export const lineOf = ({ what, since }, others) =>
  [what, since].filter((part) => part !== '').join(' ') + (others > 0 ? `, and ${others} more` : '')

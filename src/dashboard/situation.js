/** What is in trouble, worst first: read from the page's state, in no words yet. Pure. */

import { errorPercent, lately } from './format.js'
import { nowOf } from './state.js'

/** @import { BreakerView, IncidentView, UpstreamSample, UpstreamView } from './shapes.ts' */
/** @import { State } from './state.js' */

/**
 * In the order of their gravity. `unreachable`: its health check fails, though no request has. `quiet` is no trouble: the
 * breaker admits a probe, and nobody calls.
 * @typedef {'down' | 'broken' | 'failing' | 'limited' | 'overload' | 'unreachable' | 'slow' | 'forced' | 'well' | 'quiet' | 'idle'} UpstreamState
 */
/** @typedef {'lost' | 'locked' | 'store' | 'draining' | 'disk' | 'check' | 'refused' | 'restart' | 'budget' | 'deadlines' | 'lag'} OwnTrouble */

/** @type {readonly string[]} */
const WORST_FIRST = [
  ...['lost', 'locked', 'store', 'draining'],
  ...['down', 'broken', 'failing', 'limited', 'overload', 'unreachable', 'slow', 'forced'],
  ...['refused', 'restart', 'disk', 'check', 'budget', 'deadlines', 'lag'],
]
/** @type {ReadonlySet<string>} */
const CALM = new Set(['well', 'quiet', 'idle'])

/** Share of failed requests in the last minute, in percent, above which an upstream fails though no breaker is open. */
const MAX_FAILED = 10
/** Slower than unloaded by this factor: slow. */
const MAX_SLOWDOWN = 2
/** Reasons of refusals by a limit of the sidecar's configuration. */
const LIMITS = new Set(['queue_full', 'queue_timeout', 'rate', 'local_limit'])
/** Refusals that are the effect of a breaker, and no cause. */
const EFFECTS = new Set(['breaker_open', 'breaker_forced'])

/**
 * One upstream as it stands.
 * @typedef {{
 *   readonly kind: UpstreamState,
 *   readonly upstream: UpstreamView,
 *   readonly incident: IncidentView | undefined,
 *   readonly since: string | undefined,
 *   readonly open: readonly BreakerView[],
 *   readonly forced: readonly BreakerView[],
 *   readonly causes: readonly Cause[],
 *   readonly cost: Cost,
 * }} Standing
 */
/** @typedef {{ readonly cause: string, readonly count: number }} Cause */
/** Of `seconds`, or of an incident. @typedef {{ readonly failed: number, readonly refused: number, readonly saved: number, readonly requests: number, readonly limited: number, readonly jobs: number, readonly waiting: number, readonly seconds: number | undefined }} Cost */
/** @typedef {{ readonly kind: OwnTrouble, readonly detail: string, readonly since: string | undefined, readonly incident: IncidentView | undefined }} Own */
/** @typedef {Standing | Own} Trouble */

/** An upstream's name in the health report. @param {string} name */
const checkOf = (name) => name.replaceAll('-', '_')

/** @param {Pick<Standing | Own, 'kind'>} one */
const rankOf = ({ kind }) => (CALM.has(kind) ? WORST_FIRST.length : WORST_FIRST.indexOf(kind))

/** web-2 comes before web-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true })

/** All upstreams, worst first; equals by what they cost, then by name. @param {State} state @returns {Standing[]} */
export function standingsOf(state) {
  const all = state.upstreams.map((upstream) => standingOf(upstream, state))
  const gravity = (/** @type {Standing} */ { cost }) => cost.failed + cost.refused
  return all.sort(
    (a, b) =>
      rankOf(a) - rankOf(b) ||
      (CALM.has(a.kind) ? 0 : gravity(b) - gravity(a)) ||
      BY_NAME.compare(a.upstream.name, b.upstream.name),
  )
}

/** Whether it answered 429, lately or in its incident. @param {Pick<Standing, 'cost' | 'causes'>} one */
export const isAnswered429 = ({ cost, causes }) => cost.limited > 0 || causes[0]?.cause === '429'

/** @param {Pick<Standing, 'kind'>} one */
const isCalm = ({ kind }) => CALM.has(kind)

/** @param {UpstreamView} upstream @param {State} state @returns {Standing} */
export function standingOf(upstream, state) {
  const { name, breakers } = upstream
  const incident = state.incidents.find((one) => one.upstream === name && one.state !== 'ended')
  const forced = breakers.filter(({ mode }) => mode !== 'auto')
  const minute = lately(state.samples, name, 60)
  const isQuiet = minute.requests === 0 || incident?.state === 'quiet'
  // A half-open breaker that is called is still down: it closes with the first successes.
  const open = breakers.filter(
    ({ mode, state: now }) => mode === 'auto' && (now === 'open' || (now === 'half-open' && !isQuiet)),
  )
  const causes = causesOf(upstream, incident, state)
  const kind = kindOf(upstream, state, { open, forced, minute, causes })
  return {
    kind,
    upstream,
    incident,
    since: sinceOf(kind, upstream, incident, state),
    open,
    forced,
    causes,
    cost: costOf(incident, upstream, state),
  }
}

/**
 * @param {UpstreamView} upstream @param {State} state
 * @param {Pick<Standing, 'open' | 'forced' | 'causes'> & { readonly minute: ReturnType<typeof lately> }} seen
 * @returns {UpstreamState}
 */
function kindOf(upstream, state, { open, forced, minute, causes }) {
  const { breakers, pauses, slowdown, name } = upstream
  const automatic = breakers.filter(({ mode }) => mode === 'auto')
  // An upstream that answers 429 for long lets requests run out of time, which opens its breaker.
  if (open.length > 0 && causes[0]?.cause === '429') return 'limited'
  if (open.length > 0) return open.length === automatic.length && forced.length === 0 ? 'down' : 'broken'
  const tried = minute.failed - minute.refused
  const shed = causes.filter(({ cause }) => LIMITS.has(cause)).reduce((sum, { count }) => sum + count, 0)
  if (minute.refused > 0 && shed > 0 && minute.refused * 100 > MAX_FAILED * minute.requests && minute.refused >= tried)
    return 'overload'
  if (tried > 0 && (errorPercent({ ...minute, failed: tried }) ?? 0) > MAX_FAILED)
    return causes[0]?.cause === '429' ? 'limited' : 'failing'
  if (minute.limited > 0 && minute.limited * 100 > MAX_FAILED * minute.attempts) return 'limited'
  // While all requests wait for the end of a Retry-After, none is answered with 429.
  if (pauses.some(({ waiting }) => waiting > 0)) return 'limited'
  if (state.health?.checks[checkOf(name)]?.healthy === false && minute.requests === 0) return 'unreachable'
  if (slowdown !== null && slowdown >= MAX_SLOWDOWN && minute.requests > 0) return 'slow'
  if (forced.length > 0) return 'forced'
  if (automatic.some(({ state: now }) => now === 'half-open')) return 'quiet'
  return minute.requests === 0 ? 'idle' : 'well'
}

/** Since when an upstream is as it is. @param {UpstreamState} kind @param {UpstreamView} upstream @param {IncidentView | undefined} incident @param {State} state */
function sinceOf(kind, upstream, incident, state) {
  if (kind === 'forced') return earliest(upstream.breakers.flatMap(({ forced }) => forced?.since ?? []))
  if (CALM.has(kind) && kind !== 'quiet') return undefined
  if (incident !== undefined) return incident.started_at
  if (kind === 'down' || kind === 'broken' || kind === 'quiet') return openedAt(upstream.name, state)
  const isMeant = SIGNS[kind]
  return isMeant && seenSince(upstream.name, state, isMeant)
}

/** Seconds that show a state which has no incident yet. @type {Readonly<Partial<Record<UpstreamState, (second: UpstreamSample) => boolean>>>} */
const SIGNS = {
  limited: ({ limited }) => limited > 0,
  failing: ({ failed, refused }) => failed > refused,
  overload: ({ refused }) => refused > 0,
}

/** The first of such seconds without a minute between two of them. @param {string} name @param {State} state @param {(second: UpstreamSample) => boolean} isMeant @returns {string | undefined} */
function seenSince(name, { samples }, isMeant) {
  const moments = samples
    .filter(({ upstreams: { [name]: second } }) => second !== undefined && isMeant(second))
    .map(({ at }) => at)
  return moments.reduceRight(
    (since, at) => (since !== undefined && Date.parse(since) - Date.parse(at) < 60_000 ? at : since),
    moments.at(-1),
  )
}

/** When the breakers that are not closed now left the state closed. @param {string} name @param {State} state */
function openedAt(name, { transitions }) {
  const own = transitions.filter(({ upstream }) => upstream === name)
  const isolated = new Map(
    own.toReversed().map((news) => [`${news.route} ${news.endpoint}`, /** @type {string | undefined} */ (undefined)]),
  )
  for (const { route, endpoint, from, to, at } of own.toReversed()) {
    const key = `${route} ${endpoint}`
    if (to === 'closed') isolated.set(key, undefined)
    else if (from === 'closed') isolated.set(key, at)
  }
  return earliest([...isolated.values()].filter((at) => at !== undefined))
}

/** @param {readonly string[]} moments */
const earliest = (moments) => moments.toSorted()[0]

/** Causes, most frequent first; refusals by a breaker are none. @param {UpstreamView} upstream @param {IncidentView | undefined} incident @param {State} state @returns {Cause[]} */
function causesOf({ name }, incident, state) {
  if (incident !== undefined && incident.causes.length > 0)
    return incident.causes.map(({ cause, count }) => ({ cause, count }))
  const now = Date.parse(nowOf(state) ?? '')
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const { upstream, at, status, reason } of state.failures) {
    if (upstream !== name || Date.parse(at) < now - 300_000) continue
    const cause = reason ?? String(status)
    if (!EFFECTS.has(cause)) counts.set(cause, (counts.get(cause) ?? 0) + 1)
  }
  return [...counts].map(([cause, count]) => ({ cause, count })).sort((a, b) => b.count - a.count)
}

/** @param {IncidentView | undefined} incident @param {UpstreamView} upstream @param {State} state @returns {Cost} */
function costOf(incident, { name, pauses }, { samples }) {
  const waiting = pauses.reduce((sum, pause) => sum + pause.waiting, 0)
  if (incident !== undefined) {
    const { failed, refused, saved, requests, jobs_total } = incident.cost
    return {
      failed,
      refused,
      saved,
      requests,
      limited: lately(samples, name, samples.length).limited,
      jobs: jobs_total,
      waiting,
      seconds: undefined,
    }
  }
  const { requests, failed, refused, saved, limited } = lately(samples, name, samples.length)
  return { requests, failed: failed - refused, refused, saved, limited, jobs: 0, waiting, seconds: samples.length }
}

/**
 * All troubles, worst first.
 * @param {State} state
 * @param {{ readonly now: 'live' | 'lost' | 'locked', readonly detail: string, readonly since: string | undefined }} link
 * @returns {Trouble[]}
 */
export function troublesOf(state, link) {
  const troubles = [...ownTroubles(state, link), ...standingsOf(state).filter((one) => !isCalm(one))]
  return troubles
    .map((one, i) => ({ one, i }))
    .sort((a, b) => rankOf(a.one) - rankOf(b.one) || a.i - b.i)
    .map(({ one }) => one)
}

/** @param {State} state @param {{ readonly now: string, readonly detail: string, readonly since: string | undefined }} link @returns {Own[]} */
function ownTroubles(state, link) {
  /** @type {Own[]} */
  const found = []
  const add = (
    /** @type {OwnTrouble} */ kind,
    /** @type {string} */ detail,
    /** @type {string | undefined} */ since,
  ) => {
    const incident = state.incidents.find(
      (one) => one.kind === (kind === 'refused' ? 'reload' : kind) && one.state === 'ongoing',
    )
    found.push({ kind, detail, since: incident?.started_at ?? since, incident })
  }
  if (link.now === 'lost') add('lost', link.detail, link.since)
  if (link.now === 'locked') add('locked', '', undefined)
  if (state.isDraining) add('draining', '', undefined)
  for (const [name, { healthy, details }] of Object.entries(state.health?.checks ?? {})) {
    if (healthy || state.upstreams.some((one) => name === checkOf(one.name))) continue
    add(
      name === 'checkpoint_store' ? 'store' : name === 'disk_space' ? 'disk' : 'check',
      name === 'checkpoint_store' ? details : `${name}: ${details}`,
      state.unhealthySince.get(name),
    )
  }
  const reload = state.config?.last_reload
  if (reload?.outcome === 'refused') add('refused', faultOf(reload.faults[0]), reload.at)
  if (reload && reload.restart_needed.length > 0) add('restart', reload.restart_needed.join(', '), reload.at)
  const spent = state.upstreams.filter(({ retry_budget, requests }) => retry_budget === 0 && requests.total > 0)
  if (spent.length > 0) add('budget', spent.map(({ name }) => name).join(', '), undefined)
  const known = new Set(found.map(({ kind }) => kind))
  for (const { kind, summary, state: now } of state.incidents)
    if ((kind === 'deadlines' || kind === 'lag') && now === 'ongoing' && !known.has(kind)) add(kind, summary, undefined)
  return found
}

/** @param {{ readonly line?: number | undefined, readonly path: string, readonly message: string } | undefined} fault */
const faultOf = (fault) =>
  fault === undefined
    ? ''
    : `${fault.line === undefined ? '' : `line ${fault.line}: `}${[fault.path, fault.message].filter((part) => part !== '').join(': ')}`

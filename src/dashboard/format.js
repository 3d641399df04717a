/** Figures and states as text, for the page and for `breakwater top`. */

/** @import { BreakerView, UpstreamView, BreakerState, LimitView, UpstreamSample, Sample, Failure, RequestView } from './shapes.ts' */

const WHOLE = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 })
const TENTHS = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 })

/** Text for an unknown figure. */
export const NONE = '–'

/** @param {number} value */
export const count = (value) => (Math.abs(value) < 10 ? TENTHS : WHOLE).format(value)

/** @param {number | null} ms */
export function length(ms) {
  if (ms === null) return NONE
  if (ms < 10) return `${TENTHS.format(ms)} ms`
  return ms < 999.5 ? `${WHOLE.format(ms)} ms` : seconds(ms / 1000)
}

/** @param {number | null} value */
export function seconds(value) {
  if (value === null) return NONE
  if (value < 60) return `${(value < 10 ? TENTHS : WHOLE).format(value)} s`
  const whole = Math.round(value)
  const [large, small, units] =
    whole < 3600
      ? [Math.floor(whole / 60), whole % 60, ['min', 's']]
      : [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), ['h', 'min']]
  return `${large} ${units[0]}${small === 0 ? '' : ` ${small} ${units[1]}`}`
}

/** A time that has passed, in its two largest units at most. @param {number} s */
export function ago(s) {
  if (s < 3600) return seconds(Math.floor(s))
  const hours = Math.floor(s / 3600)
  return hours < 48 ? seconds(s) : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** @param {number | null} percent */
export const share = (percent) => (percent === null ? NONE : `${TENTHS.format(percent)} %`)

/** Failed requests in percent; null when there were no requests. @param {Pick<UpstreamSample, 'requests' | 'failed'>} sample */
export const errorPercent = ({ requests, failed }) => (requests === 0 ? null : (failed / requests) * 100)

/** Hours, minutes and seconds in the browser's time zone. @param {string} iso */
export const timeOfDay = (iso) => TIME.format(Date.parse(iso))
/** @param {number} ms */
export const hourAndMinute = (ms) => HOUR_AND_MINUTE.format(ms)
const HOUR_AND_MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** The time of day, after its day when that is not the day of `now`. @param {string} iso @param {string | undefined} now */
export const recent = (iso, now) =>
  now !== undefined && dayOf(iso) === dayOf(now) ? timeOfDay(iso) : `${DAY.format(Date.parse(iso))} ${timeOfDay(iso)}`
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })

/** The time of day, after its day and year. @param {string} iso */
export const moment = (iso) => `${dayOf(iso)} ${timeOfDay(iso)}`
/** @param {string} iso */
const dayOf = (iso) => DAY_AND_YEAR.format(Date.parse(iso))
const DAY_AND_YEAR = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

/** The time zone of every time that is shown, such as `Europe/Berlin`. */
export const zone = () => TIME.resolvedOptions().timeZone

/** The zone in short at a moment, such as `CET`, or in summer `CEST`. @param {string} iso */
export const zoneAt = (iso) =>
  ZONED.formatToParts(Date.parse(iso)).find(({ type }) => type === 'timeZoneName')?.value ?? ''
const ZONED = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })

/** @type {Readonly<Record<BreakerState, number>>} */
const GRAVITY = { closed: 0, 'half-open': 1, open: 2 }

/** The worst state of an upstream's breakers. @param {Pick<UpstreamView, 'breakers'>} upstream @returns {BreakerState} */
function worstState({ breakers }) {
  return breakers.reduce(
    (worst, { state }) => (GRAVITY[state] > GRAVITY[worst] ? state : worst),
    /** @type {BreakerState} */ ('closed'),
  )
}

/**
 * @param {Pick<BreakerView, 'route' | 'endpoint'>} breaker
 * @param {readonly Pick<BreakerView, 'route'>[]} all breakers of its upstream. When a route has a breaker of its own, the upstream's is named for the other routes.
 */
export function breakerName({ route, endpoint }, all) {
  const own = [...new Set(all.flatMap((other) => other.route ?? []))]
  const rest = own.length === 0 ? 'all routes' : own.length === 1 ? `all routes but ${own[0]}` : 'other routes'
  return [route ?? rest, ...(endpoint === null ? [] : [endpoint])].join(' at ')
}

/** @param {BreakerView} breaker */
export function breakerWords({ mode, state, consecutive_failures, open_for_s, probes_in_flight }) {
  if (mode === 'forced-open') return 'forced open'
  if (mode === 'forced-closed') return 'forced closed'
  /** @type {string[]} */
  const words = [state]
  if (state === 'open' && open_for_s > 0) words.push(`probes in ${seconds(open_for_s)}`)
  if (state === 'half-open') words.push(`${probes_in_flight} probing`)
  if (state === 'closed' && consecutive_failures > 0) words.push(`${consecutive_failures} failures in a row`)
  if (mode === 'observe') words.push('observed only')
  return words.join(', ')
}

/** Who holds it, since when, until when and why. @param {Pick<BreakerView, 'forced'>} breaker @param {string | undefined} now */
export function forcedWords({ forced }, now) {
  if (forced === null) return ''
  const by = forced.by === null ? 'by somebody' : `by ${forced.by}`
  const end = forced.until === null ? 'without an end' : `until ${recent(forced.until, now)}`
  const reason = forced.reason === null ? 'no reason given' : `“${forced.reason}”`
  return ` ${by}, since ${recent(forced.since, now)}, ${end}: ${reason}`
}

/** The state of all an upstream's breakers together. @param {Pick<UpstreamView, 'breakers'>} upstream */
export function stateWords({ breakers }) {
  const worst = worstState({ breakers })
  const alike = breakers.filter(({ state }) => state === worst).length
  const words = worst === 'closed' || breakers.length === 1 ? worst : `${alike} of ${breakers.length} ${worst}`
  const held = breakers.filter(({ mode }) => mode !== 'auto').length
  const [mode = 'auto', ...others] = new Set(breakers.map((breaker) => breaker.mode))
  if (held === 0) return words
  if (others.length > 0) return `${words}, ${held} not automatic`
  return mode === 'observe' ? `${words}, observed only` : mode.replace('-', ' ')
}

/** The reason of a failure as in the log, or else its status. @param {Pick<Failure, 'reason' | 'status'>} failure */
export const causeOf = ({ reason, status }) => reason ?? `HTTP ${status}`

/** @param {number} n @param {string} one @param {string} [several] */
export const many = (n, one, several = `${one}s`) => `${WHOLE.format(n)} ${n === 1 ? one : several}`

/** Figures of the limits that upstreams share, such as `Shared limits: gpu 1 of 1, 3 wait`. @param {readonly LimitView[]} limits @param {readonly string[]} ownShares limits of the fleet that are the own share */
export function limitWords(limits, ownShares) {
  const words = limits.map(({ name, max, in_use, queued }) => {
    const waiting = queued === 0 ? '' : `, ${count(queued)} ${queued === 1 ? 'waits' : 'wait'}`
    return `${name} ${count(in_use)} of ${count(max)}${waiting}`
  })
  const alone =
    ownShares.length === 0 ? '' : `. Own share, since the Redis of the fleet does not answer: ${ownShares.join(', ')}`
  return `Shared limits: ${words.join('; ') || NONE}${alone}`
}

/** A time for which an upstream asked to be left alone. @param {UpstreamView['pauses'][number]} pause */
export function pauseWords({ paths, waiting, ends_in_s }) {
  const wait = many(waiting, 'request waits', 'requests wait')
  return ends_in_s > 0
    ? `${paths}: asked to be left alone for ${seconds(ends_in_s)} more (Retry-After), ${wait}`
    : `${paths}: its Retry-After is over, ${wait} to go one after the other`
}

/** Sums of the last `seconds` samples. @param {readonly Sample[]} samples @param {string} upstream @param {number} seconds */
export function lately(samples, upstream, seconds) {
  const sum = { requests: 0, failed: 0, refused: 0, saved: 0, limited: 0, attempts: 0, retries: 0, resumes: 0 }
  for (const { upstreams } of samples.slice(-seconds)) {
    const sample = upstreams[upstream]
    if (sample === undefined) continue
    sum.requests += sample.requests
    sum.failed += sample.failed
    sum.refused += sample.refused
    sum.saved += sample.saved
    sum.limited += sample.limited
    sum.attempts += sample.attempts
    sum.retries += sample.retries
    sum.resumes += sample.resumes
  }
  return sum
}

/** Whether it failed, or succeeded only after a retry. @param {RequestView} request */
export const isTroubled = ({ status, reason, attempts }) =>
  status >= 500 || status === 429 || reason !== null || attempts > 1

/** Incidents in words. */

import type { IncidentState } from '../dashboard/shapes.ts'
import { faultOf, isFaultCode } from '../errors.ts'
import type { BreakerFact, Fact } from './fact.ts'
import { type Incident, QUIET_MS } from './incident.ts'

/** Causes that a sentence names. */
const NAMED = 3

/** A length of time for people: two units at most. */
export function lengthText(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`
  const whole = Math.round(seconds)
  const [days, hours, minutes, rest] = [
    Math.floor(whole / 86_400),
    Math.floor((whole % 86_400) / 3_600),
    Math.floor((whole % 3_600) / 60),
    whole % 60,
  ]
  const parts = [
    days > 0 && `${days} d`,
    hours > 0 && `${hours} h`,
    minutes > 0 && `${minutes} min`,
    rest > 0 && `${rest} s`,
  ]
  return parts
    .filter((part) => part !== false)
    .slice(0, 2)
    .join(' ')
}

/** The place of a breaker or a request within its upstream. */
export const placeText = (route: string | undefined, endpoint?: string) =>
  [route === undefined || route === '*' ? '' : ` for ${route}`, endpoint === undefined ? '' : ` at ${endpoint}`].join(
    '',
  )

const TRIPS: Readonly<Record<NonNullable<BreakerFact['cause']>, string>> = {
  consecutive: 'after failures in a row',
  rate: 'since too many calls failed',
  slow: 'since too many calls were slow',
  probe: 'again, since a probe failed',
  jobs: 'after failed jobs in a row',
  hint: 'after half as many failures, since the breaker of another sidecar is open',
  forced: 'by an operator',
}

export function breakerText({ to, cause, failure, route, endpoint }: BreakerFact): string {
  const place = placeText(route, endpoint)
  const by = cause === 'forced' ? ' by an operator' : ''
  if (to === 'closed') return `the breaker${place} closed${by === '' ? ': calls succeed again' : by}`
  const last = failure === undefined || cause === 'probe' || cause === 'forced' ? '' : `, the last: ${failure}`
  return `the breaker${place} opened${cause === undefined ? '' : ` ${TRIPS[cause]}`}${last}`
}

export const modeText = ({ mode, hasEnded, route, endpoint }: Extract<Fact, { kind: 'mode' }>) =>
  `${hasEnded ? `the time that an operator had set is over: ${mode}` : `an operator set ${mode}`}${placeText(route, endpoint)}`

/** A status or a reason in words. */
export function causeText(cause: string): string {
  if (isFaultCode(cause)) return faultOf(cause).title
  return /^\d+$/.test(cause) ? `HTTP ${cause} from the upstream` : cause
}

export function summaryOf(
  incident: Incident,
  causes: readonly (readonly [string, number])[],
  state: IncidentState,
  ms: number,
): string {
  const { cost, upstream, signs } = incident
  if (upstream === null) {
    const isOver = state === 'ongoing' && hasCeased(incident)
    return `${capital(ownText(incident, state, ms))}.${isOver ? ` ${CEASED}` : ''}`
  }
  const what = trouble(incident)
  const when = state === 'ended' ? ` ${lasted(ms)}` : ''
  const why = causes.slice(0, NAMED).map(([cause, count]) => `${count} × ${cause}`)
  const more = causes.length > NAMED ? ', …' : ''
  const because = why.length > 0 ? `: ${why.join(', ')}${more}` : ` (${signs[0]?.text})`
  const isNow = state === 'ongoing' && !hasCeased(incident)
  const first = `${upstream} ${isNow ? what.is : what.was}${when}${because}.`
  return `${first}${costText(cost, state)}${endText(state, isNow)}`
}

function endText(state: IncidentState, isNow: boolean): string {
  if (state === 'quiet') return ' Its breaker admits calls again and nobody calls: the next call decides.'
  return state === 'ongoing' && !isNow ? ` ${CEASED}` : ''
}

const CEASED = `It is over unless another sign comes within ${lengthText(QUIET_MS)}.`
/** Last signs of trouble that has ceased. */
const LAST_SIGNS: ReadonlySet<string> = new Set(['breaker_closed', 'store_up', 'disk_free', 'reloaded', 'restarted'])

/** Whether nothing of it lasts, though it may still come again. */
const hasCeased = ({ standing, signs }: Incident) =>
  Object.keys(standing).length === 0 && LAST_SIGNS.has(signs.at(-1)?.sign ?? '')

/** Trouble of the sidecar's own, by its first sign. */
function ownText(incident: Incident, state: IncidentState, ms: number): string {
  const { signs, kind } = incident
  const [first] = signs
  if (first === undefined) return kind
  if (kind === 'lag') {
    const more = signs.reduce((sum, { sign, times }) => sum + (sign === first.sign ? times : 0), 0) - 1
    return more === 0
      ? first.text
      : `${first.text}, and ${more} more ${more === 1 ? 'time' : 'times'} within ${lengthText(ms)}`
  }
  if (state === 'ended') return `${first.text} (${lasted(ms)})`
  return hasCeased(incident) ? first.text : (first.now ?? first.text)
}

const lasted = (ms: number) => (ms < 1_000 ? 'for a moment' : `for ${lengthText(ms)}`)
const capital = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`

function trouble({ kind, signs, cost }: Incident): { readonly is: string; readonly was: string } {
  if (kind === 'budget') return { is: 'has spent its retry budget', was: 'had spent its retry budget' }
  if (kind === 'deadlines')
    return { is: 'is called by jobs past their deadline', was: 'was called by jobs past their deadline' }
  const has = (sign: string) => signs.some((one) => one.sign === sign)
  if (has('endpoint_open') && cost.refused === 0) return { is: 'has lost an endpoint', was: 'had lost an endpoint' }
  if (has('breaker_open') || has('endpoint_open')) return { is: 'is down', was: 'was down' }
  if (has('route_open')) return { is: 'is down for a route', was: 'was down for a route' }
  if (has('breaker_forced')) return { is: 'is held off by an operator', was: 'was held off by an operator' }
  return { is: 'fails', was: 'failed' }
}

/** Nothing without requests: a log with `log.access` off does not have them. */
function costText({ requests, failed, refused, saved }: Incident['cost'], state: IncidentState): string {
  const parts = [
    failed > 0 && `${failed} failed`,
    refused > 0 && `${refused} ${refused === 1 ? 'was' : 'were'} refused`,
    saved > 0 && `${saved} ${saved === 1 ? 'was' : 'were'} saved by a retry`,
  ].filter((part) => part !== false)
  if (parts.length === 0) return state === 'ended' && requests > 0 ? ' No request was lost.' : ''
  return ` Of its requests ${parts.join(', ')}.`
}

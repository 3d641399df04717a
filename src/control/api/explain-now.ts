/** What the state of this moment means for a request. */

import type { BreakerSnapshot, LimitSnapshot, PauseSnapshot, RateSnapshot, UpstreamSnapshot } from '../../events.ts'
import { writtenMs } from '../../config/kinds/units.ts'

export type Moment = {
  readonly upstreams: () => readonly UpstreamSnapshot[]
  readonly limits: () => readonly LimitSnapshot[]
  readonly isDraining: () => boolean
  /** Time that a job has left, in ms; undefined for an unknown one, and for one without a deadline. */
  readonly jobLeftMs: (id: string) => number | undefined
}

/** `answer`: status and reason that the request would get now; null where it would be sent, or wait. */
type Finding = { readonly about: string; readonly says: string; readonly answer: string | null }

/**
 * @param alike paths whose calls share a Retry-After with the request's. @param queue length of the upstream's queue.
 * @param job id of a registered job; undefined without one.
 */
export function nowOf(
  moment: Moment,
  upstream: string,
  { match, alike }: { readonly match: string | null; readonly alike: string },
  { queue, job }: { readonly queue: number; readonly job: string | undefined },
): Finding[] {
  const snapshot = moment.upstreams().find(({ name }) => name === upstream)
  const draining = moment.isDraining()
    ? [{ about: 'draining', says: 'the sidecar is ending: nothing waits or is retried any more', answer: null }]
    : []
  if (snapshot === undefined) return draining
  return [
    ...draining,
    ...breakersNow(snapshot, match),
    ...snapshot.pauses.filter(({ paths }) => paths === alike).map(pauseNow),
    ...rateNow(snapshot.rate),
    ...concurrencyNow(snapshot, queue),
    ...moment.limits().flatMap(limitNow),
    ...budgetNow(snapshot),
    ...(job === undefined ? [] : jobNow(moment.jobLeftMs(job), job)),
  ]
}

/** A route's own breakers, or those of its upstream. */
function breakersNow({ breakers }: UpstreamSnapshot, match: string | null): Finding[] {
  const own = breakers.filter(({ route }) => route !== undefined && route === match)
  const meant = own.length > 0 ? own : breakers.filter(({ route }) => route === undefined)
  const isAllShut = meant.every(isShut)
  return meant.map((breaker) => ({
    about: breaker.endpoint === undefined ? 'breaker' : `breaker of ${breaker.endpoint}`,
    says: breakerSays(breaker),
    answer: isAllShut && isShut(breaker) ? (breaker.mode === 'auto' ? '503 breaker_open' : '503 breaker_forced') : null,
  }))
}

const isShut = ({ mode, state }: BreakerSnapshot) => mode === 'forced-open' || (mode === 'auto' && state === 'open')

function breakerSays({ mode, state, openForMs, consecutiveFailures, probesInFlight }: BreakerSnapshot): string {
  if (mode !== 'auto') return `${mode} by an operator; by itself it would be ${state}`
  if (state === 'open')
    return `open for another ${writtenMs(Math.ceil(openForMs))}: a patient request waits for a probe`
  if (state === 'half-open') return `half open, ${probesInFlight} probes under way: few requests pass`
  return `closed, ${consecutiveFailures} failures in a row`
}

/** Nobody is refused for it: what cannot wait is sent at once. */
function pauseNow({ endsMs, waiting }: PauseSnapshot): Finding {
  const says =
    endsMs > 0
      ? `the upstream asked to be left alone for another ${writtenMs(Math.ceil(endsMs))}: requests wait as far as their deadline allows`
      : 'it is over, and those that waited for its end go one after the other'
  return { about: 'Retry-After', says: `${says} (${waiting} waiting)`, answer: null }
}

const WHOSE = {
  sidecar: '',
  fleet: ' by what the fleet lets go',
  own: " by this sidecar's own share: the fleet does not answer",
}

function rateNow(rate: RateSnapshot | undefined): Finding[] {
  if (rate === undefined) return []
  const { waiting, nextMs, queueTimeoutMs, turnsOf } = rate
  const when = nextMs === 0 ? 'it would be let go at once' : `it would be let go in ${writtenMs(Math.ceil(nextMs))}`
  const says = `${waiting} waiting: ${when}${WHOSE[turnsOf]}`
  return [{ about: 'rate', says, answer: nextMs > queueTimeoutMs ? '503 rate' : null }]
}

function concurrencyNow({ inFlight, limit, queued: all, rate }: UpstreamSnapshot, queue: number): Finding[] {
  const queued = all - (rate?.waiting ?? 0)
  const isFull = inFlight >= limit
  const says = `${inFlight} of ${Math.floor(limit)} under way, ${queued} of ${queue} waiting${isFull ? ': it would wait' : ''}`
  return [{ about: 'concurrency', says, answer: isFull && queued >= queue ? '503 queue_full' : null }]
}

function limitNow({ name, max, inUse, queued }: LimitSnapshot): Finding[] {
  if (inUse < max) return []
  return [{ about: `limit ${name}`, says: `${inUse} of ${max} in use, ${queued} waiting`, answer: null }]
}

function budgetNow({ retryBudget }: UpstreamSnapshot): Finding[] {
  if (retryBudget >= 1) return []
  return [{ about: 'retry budget', says: 'spent: the request would be sent, and not be retried', answer: null }]
}

function jobNow(leftMs: number | undefined, job: string): Finding[] {
  if (leftMs === undefined)
    return [{ about: 'job', says: `${job} is not known here, or has no deadline`, answer: null }]
  if (leftMs <= 0) return [{ about: 'job', says: `the deadline of ${job} has passed`, answer: '504 job_deadline' }]
  return [{ about: 'job', says: `${job} has ${writtenMs(Math.floor(leftMs))} left`, answer: null }]
}

/** For a terminal. */
export const nowText = (found: readonly Finding[]): string =>
  `\nat this moment\n${found.map(({ about, says, answer }) => `  ${about}: ${says}${answer === null ? '' : ` -> ${answer}`}\n`).join('')}`

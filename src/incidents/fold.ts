/**
 * Folds what happened into incidents. Pure: it knows no clock, and reads events of the running sidecar and lines of a log alike,
 * so that both tell the same. Facts come in the order of their time.
 */

import { isoTime } from '../clock.ts'
import type { IncidentKind } from '../dashboard/shapes.ts'
import { isBreakerRefusal } from '../errors.ts'
import type { IncidentPhase } from '../events.ts'
import { count } from './count.ts'
import { type BreakerFact, type Fact, LAG_MS, REPEAT_MS, type RequestFact } from './fact.ts'
import { begun, type Incident, isOver, type SignWords, type Standing, sumOpen, tellSign } from './incident.ts'
import { isFailedAttempt, outcomeOf } from './outcome.ts'
import { breakerText, lengthText, modeText, placeText } from './words.ts'
import { Watched } from './watched.ts'

export type Turn = { readonly phase: IncidentPhase; readonly incident: Incident }

/** Longest time in ms between two processes in which what stood is taken to have gone on: a restart, not a night. */
const SOON_MS = 120_000

/** Ended incidents that are kept. */
const MAX_ENDED = 500

type Subject = { readonly kind: IncidentKind; readonly upstream: string | null }

export class Incidents {
  readonly #watched = new Map<string, Watched>()
  /** By upstream, or by kind for the sidecar's own. */
  readonly #open = new Map<string, Incident>()
  /** Oldest first. */
  #ended: Incident[] = []
  /** Until when a sign of a kind and place is the same as the last one. */
  readonly #heldUntil = new Map<string, number>()
  #version: string | null = null
  /** Wall-clock ms of the latest start; undefined before the first. */
  #startedAt: number | undefined
  /** Wall-clock ms at which the process before began to end; undefined where it was killed. */
  #stoppedAt: number | undefined
  #turns: Turn[] = []

  /** Newest first. */
  get all(): readonly Incident[] {
    return [...this.#ended, ...this.#open.values()].sort((a, b) => b.startedAt - a.startedAt)
  }

  /** Those that have not ended. */
  get open(): readonly Incident[] {
    return [...this.#open.values()]
  }

  /** Takes one fact. @returns the incidents that it or the time before it opened or closed. */
  take(fact: Fact): readonly Turn[] {
    if (fact.kind !== 'start') this.#closeOver(fact.at)
    this.#fold(fact)
    return this.#taken()
  }

  /**
   * Takes a request that succeeded with its first attempt: what `take` would make of it, at a twentieth of the cost.
   * @returns false while there is an open incident: then `take` has to be asked.
   */
  takeWell(upstream: string, at: number): boolean {
    if (this.#open.size > 0) return false
    this.#watchedOf(upstream).count(at, false)
    return true
  }

  /** Lets time pass. @returns the incidents that it closed. */
  pass(now: number): readonly Turn[] {
    this.#closeOver(now)
    return this.#taken()
  }

  /**
   * Adds what an earlier process knew. One that is open goes on, unless another of the same subject has begun. The store may
   * answer long after the start.
   */
  restore(known: readonly Incident[]): void {
    for (const incident of known) {
      const key = keyOf(incident)
      const { endedAt, seenAt = incident.lastSignAt } = incident
      if (endedAt === null && this.#startedAt !== undefined) standsNoLonger(incident, this.#startedAt, seenAt)
      if (incident.endedAt === null && !this.#open.has(key)) this.#open.set(key, incident)
      else this.#ended.push({ ...incident, endedAt: incident.endedAt ?? incident.lastSignAt })
    }
    this.#ended = this.#ended.sort((a, b) => a.startedAt - b.startedAt).slice(-MAX_ENDED)
  }

  #fold(fact: Fact): void {
    switch (fact.kind) {
      case 'request':
        return this.#request(fact)
      case 'breaker':
        return this.#breaker(fact)
      case 'mode':
        return this.#mode(fact)
      case 'budget': {
        if (this.#isRepeat(`budget ${fact.upstream} ${fact.route}`, fact.at)) return
        const subject = { kind: 'budget', upstream: fact.upstream } as const
        return void this.#sign(subject, fact.at, {
          sign: 'budget_spent',
          text: `the retry budget was spent${placeText(fact.route)}`,
        })
      }
      case 'store':
        return this.#own('store', !fact.isUp, fact.at, {
          on: {
            sign: 'store_down',
            text: `the checkpoint store was down${because(fact.why)}`,
            now: `the checkpoint store is down${because(fact.why)}`,
          },
          off: { sign: 'store_up', text: 'the checkpoint store was back' },
        })
      case 'set_aside':
        return void this.#sign(OWN('store'), fact.at, {
          sign: 'store_set_aside',
          text: `the store's file was set aside${because(fact.why)}`,
        })
      case 'disk':
        return this.#own('disk', !fact.isEnough, fact.at, {
          on: {
            sign: 'disk_full',
            text: `there was too little room on the disk${because(fact.details)}`,
            now: `there is too little room on the disk${because(fact.details)}`,
          },
          off: { sign: 'disk_free', text: `there was room on the disk again${because(fact.details)}` },
        })
      case 'unkept':
        if (this.#isRepeat(`unkept ${fact.upstream} ${fact.route} ${fact.why}`, fact.at)) return
        return void this.#sign(OWN('disk'), fact.at, {
          sign: 'body_unkept',
          text: `a request body could not be kept${because(fact.why)}`,
        })
      case 'reload':
        if (fact.outcome === 'applied') this.#version = fact.version
        return this.#own('reload', fact.outcome === 'refused', fact.at, {
          on: {
            sign: 'reload_refused',
            text: `the configuration was refused${because(fact.why)}`,
            now: `the configuration is refused${because(fact.why)}`,
          },
          off: { sign: 'reloaded', text: 'a configuration was put in force' },
        })
      case 'start':
        return this.#start(fact.at, fact.version)
      case 'stop':
        this.#stoppedAt = fact.at
        return
      case 'stalled':
        if (fact.ms < LAG_MS) return
        return void this.#sign(OWN('lag'), fact.at, {
          sign: 'stalled',
          text: `the process was paused for ${lengthText(fact.ms)}`,
        })
      default:
        fact satisfies never
    }
  }

  #request(fact: RequestFact): void {
    const { at, upstream, status, reason, attempts } = fact
    const outcome = outcomeOf(status, reason, attempts)
    if (outcome === 'client' && fact.outcomes.length === 0) return
    const watched = this.#watchedOf(upstream)
    // A refusal by a breaker is the effect of what opened it. A job out of time is a sign of its own.
    const isEffect =
      outcome === 'refused' && reason !== undefined && (isBreakerRefusal(reason) || reason === 'job_deadline')
    const isBad = outcome === 'failed' || outcome === 'refused'
    const isFailing = !isEffect && outcome !== 'client' && watched.count(at, isBad) && isBad
    const known = this.#open.get(upstreamKey(upstream))
    if (known !== undefined) count(known, fact, outcome)
    else if (isBad || (attempts > 1 && fact.outcomes.some((one) => isFailedAttempt(one.outcome)))) watched.keep(fact)
    if (isFailing)
      this.#sign({ kind: 'upstream', upstream }, at, {
        sign: 'failing',
        text: 'more than a tenth of its requests failed',
      })
    if (reason === 'job_deadline')
      this.#sign({ kind: 'deadlines', upstream }, at, {
        sign: 'job_deadline',
        text: 'calls of a job came after its deadline',
      })
  }

  #watchedOf(upstream: string): Watched {
    let watched = this.#watched.get(upstream)
    if (watched === undefined) {
      watched = new Watched()
      this.#watched.set(upstream, watched)
    }
    return watched
  }

  #breaker(fact: BreakerFact): void {
    const { at, upstream, to, openMs, cause } = fact
    const key = breakerKey(fact)
    const subject = { kind: 'upstream', upstream } as const
    if (to === 'open') {
      const sign = cause === 'forced' ? 'breaker_forced' : cause === 'probe' ? 'probe_failed' : openedSign(fact)
      const standing = { isBreaker: true, probesAt: openMs === undefined ? null : at + openMs }
      return void this.#sign(subject, at, { sign, text: breakerText(fact) }, [key, standing])
    }
    const incident = this.#open.get(upstreamKey(upstream))
    if (incident?.standing[key] === undefined) return
    sumOpen(incident, at)
    if (to === 'half-open') incident.standing[key] = { isBreaker: true, probesAt: at }
    else {
      delete incident.standing[key]
      incident.lastSignAt = at
      tellSign(incident, at, { sign: 'breaker_closed', text: breakerText(fact) })
    }
  }

  #mode(fact: Extract<Fact, { kind: 'mode' }>): void {
    const incident = this.#open.get(upstreamKey(fact.upstream))
    if (incident !== undefined) tellSign(incident, fact.at, { sign: 'breaker_mode', text: modeText(fact) })
  }

  #own(
    kind: IncidentKind,
    isOn: boolean,
    at: number,
    { on, off }: { readonly on: SignWords; readonly off: SignWords },
  ): void {
    if (isOn) return void this.#sign(OWN(kind), at, on, [kind, { isBreaker: false, probesAt: null }])
    const incident = this.#open.get(kind)
    if (incident?.standing[kind] === undefined) return
    delete incident.standing[kind]
    incident.lastSignAt = at
    tellSign(incident, at, off)
  }

  /** Signs that stood are not known to stand any longer: those that do are told anew. */
  #start(at: number, version: string): void {
    this.#version = version
    this.#watched.clear()
    this.#heldUntil.clear()
    this.#startedAt = at
    for (const incident of this.#open.values()) standsNoLonger(incident, at, this.#stoppedAt ?? at)
    this.#stoppedAt = undefined
    this.#closeOver(at)
  }

  #sign(subject: Subject, at: number, words: SignWords, standing?: readonly [key: string, of: Standing]): Incident {
    const key = keyOf(subject)
    const known = this.#open.get(key)
    const incident = known ?? begun(subject.kind, subject.upstream, at, this.#version, isoTime(at))
    if (known === undefined) {
      this.#open.set(key, incident)
      const before = subject.upstream === null ? [] : (this.#watched.get(subject.upstream)?.takeBefore(at) ?? [])
      for (const fact of before) count(incident, fact, outcomeOf(fact.status, fact.reason, fact.attempts))
      this.#turns.push({ phase: 'opened', incident })
    }
    if (subject.kind === 'upstream') incident.kind = 'upstream'
    incident.lastSignAt = at
    if (standing !== undefined) {
      sumOpen(incident, at)
      incident.standing[standing[0]] = standing[1]
    }
    tellSign(incident, at, words)
    return incident
  }

  #isRepeat(key: string, at: number): boolean {
    if (at < (this.#heldUntil.get(key) ?? 0)) return true
    this.#heldUntil.set(key, at + REPEAT_MS)
    return false
  }

  #closeOver(now: number): void {
    for (const [key, incident] of this.#open) {
      if (!isOver(incident, now)) continue
      sumOpen(incident, incident.lastSignAt)
      incident.endedAt = incident.lastSignAt
      this.#open.delete(key)
      this.#ended.push(incident)
      if (this.#ended.length > MAX_ENDED) this.#ended.shift()
      this.#turns.push({ phase: 'closed', incident })
    }
  }

  #taken(): readonly Turn[] {
    if (this.#turns.length === 0) return NO_TURNS
    const turns = this.#turns
    this.#turns = []
    return turns
  }
}

/**
 * A process began: what stood is not known to stand any longer. It stood up to the start, or where that came late, as long as the
 * process before did: a breaker until it admits probes. @param seenAt wall-clock ms up to which that process is known.
 */
function standsNoLonger(incident: Incident, at: number, seenAt: number): void {
  const until = at - seenAt <= SOON_MS ? at : seenAt
  for (const [key, { isBreaker, probesAt }] of Object.entries(incident.standing))
    incident.standing[key] = { isBreaker, probesAt: Math.min(probesAt ?? until, at) }
  sumOpen(incident, at)
  incident.lastSignAt = Math.max(incident.lastSignAt, ...Object.values(incident.standing).map(standsUntil))
  for (const key of Object.keys(incident.standing)) delete incident.standing[key]
  tellSign(incident, at, { sign: 'restarted', text: 'the sidecar was started anew' })
}

const standsUntil = ({ probesAt }: Standing) => probesAt ?? 0

const openedSign = ({ route, endpoint }: BreakerFact) =>
  route !== undefined ? 'route_open' : endpoint !== undefined ? 'endpoint_open' : 'breaker_open'

const NO_TURNS: readonly Turn[] = []
const OWN = (kind: IncidentKind): Subject => ({ kind, upstream: null })
const upstreamKey = (name: string) => `upstream ${name}`
const keyOf = ({ upstream, kind }: Subject) => (upstream === null ? kind : upstreamKey(upstream))
const breakerKey = ({ route = '', endpoint = '' }: Pick<BreakerFact, 'route' | 'endpoint'>) => `${route}\n${endpoint}`
const because = (why: string) => (why === '' ? '' : `: ${why}`)

/** An incident as it is kept: plain data, so that it outlives a restart. */

import type { IncidentKind, RequestView } from '../dashboard/shapes.ts'

/** A sign that lasts until it is taken away: a breaker that is not closed, a store that is down. */
export type Standing = {
  /** Wall-clock ms at which an open breaker admits probes; null for one that is held open, and for other signs. */
  readonly probesAt: number | null
  readonly isBreaker: boolean
}

/** `text` of what happened then; `now` of what lasts, as long as it does. */
export type SignWords = { readonly sign: string; readonly text: string; readonly now?: string }

export type Sign = SignWords & { readonly at: number; times: number; until: number }

type CauseCount = { count: number; example: RequestView | null; isExampleLost: boolean }

export type RouteCount = { requests: number; failed: number; refused: number; saved: number }

export type Incident = {
  readonly id: string
  kind: IncidentKind
  readonly upstream: string | null
  /** Wall-clock ms, all of them. */
  readonly startedAt: number
  lastSignAt: number
  /** Last request that was tried; 0 before the first. */
  lastCallAt: number
  endedAt: number | null
  /** Of one that goes on: when it was kept, so that a later process knows how long it stood. */
  readonly seenAt?: number
  /** By breaker, or by the name of the sign. */
  readonly standing: Record<string, Standing>
  readonly signs: Sign[]
  readonly routes: Record<string, RouteCount>
  /** By status or reason. */
  readonly causes: Record<string, CauseCount>
  /** By reason. */
  readonly refusals: Record<string, number>
  readonly cost: { requests: number; failed: number; refused: number; retried: number; saved: number; openMs: number }
  /** Up to which moment `openMs` is summed. */
  openSummedTo: number
  readonly jobs: string[]
  readonly version: string | null
}

/** Time without a sign after which an incident is over. */
export const QUIET_MS = 30_000

const MAX_SIGNS = 20
const MAX_JOBS = 1_000
const MAX_ROUTES = 100

export function begun(
  kind: IncidentKind,
  upstream: string | null,
  at: number,
  version: string | null,
  date: string,
): Incident {
  const subject = upstream ?? `sidecar.${kind}`
  return {
    id: `${subject}-${date.replaceAll(/[-:]|\.\d+/g, '')}`,
    kind,
    upstream,
    startedAt: at,
    lastSignAt: at,
    lastCallAt: 0,
    endedAt: null,
    standing: {},
    signs: [],
    routes: {},
    causes: {},
    refusals: {},
    cost: { requests: 0, failed: 0, refused: 0, retried: 0, saved: 0, openMs: 0 },
    openSummedTo: at,
    jobs: [],
    version,
  }
}

/** Adds a sign to those that are told; one that repeats the last one is counted there. The first half and the newest are kept. */
export function tellSign({ signs }: Incident, at: number, words: SignWords): void {
  const { sign, text } = words
  const last = signs.at(-1)
  if (last !== undefined && last.sign === sign && last.text === text) {
    last.times += 1
    last.until = at
    return
  }
  signs.push({ at, ...words, times: 1, until: at })
  if (signs.length > MAX_SIGNS) signs.splice(MAX_SIGNS / 2, 1)
}

export function addJob({ jobs }: Incident, id: string): void {
  if (jobs.length < MAX_JOBS && !jobs.includes(id)) jobs.push(id)
}

/** Names come from the configuration; a changing one cannot fill the memory. */
export function routeOf({ routes }: Incident, name: string): RouteCount {
  const known = routes[name]
  if (known !== undefined) return known
  const fresh = { requests: 0, failed: 0, refused: 0, saved: 0 }
  if (Object.keys(routes).length < MAX_ROUTES) routes[name] = fresh
  return fresh
}

/** Sums the time for which a breaker was open, up to a moment. Call before a breaker changes. */
export function sumOpen(incident: Incident, at: number): void {
  incident.cost.openMs = openMsAt(incident, at)
  incident.openSummedTo = Math.max(incident.openSummedTo, at)
}

/** Time in ms for which a breaker was open, up to a moment. */
export function openMsAt({ cost, standing, openSummedTo }: Incident, at: number): number {
  const ends = Object.values(standing)
    .filter(({ isBreaker }) => isBreaker)
    .map(({ probesAt }) => Math.min(probesAt ?? at, at))
  return cost.openMs + Math.max(0, Math.max(openSummedTo, ...ends) - openSummedTo)
}

/** Whether breakers admit probes, and nobody has called for so long that the next call decides. */
export function isQuiet({ standing, lastSignAt, lastCallAt }: Incident, now: number): boolean {
  const all = Object.values(standing)
  if (all.length === 0 || all.some(({ isBreaker, probesAt }) => !isBreaker || probesAt === null)) return false
  const since = Math.max(lastSignAt, lastCallAt, ...all.map(({ probesAt }) => probesAt ?? 0))
  return now - since >= QUIET_MS
}

export const isOver = ({ standing, lastSignAt }: Incident, now: number) =>
  Object.keys(standing).length === 0 && now - lastSignAt >= QUIET_MS

/** Reads facts from lines of the log. */

import { isoTime } from '../clock.ts'
import { isMap } from '../config/kinds/setting.ts'
import type { AttemptView, RequestView } from '../dashboard/shapes.ts'
import { isFaultCode } from '../errors.ts'
import { BREAKER_MODES, BREAKER_STATES, TRIP_CAUSES } from '../events.ts'
import type { Fact, RequestFact } from './fact.ts'

type Fields = Readonly<Record<string, unknown>>

/** Messages that tell a fact: other lines are not parsed. */
const MESSAGES: Readonly<Record<string, (fields: Fields, at: number) => Fact | undefined>> = {
  request,
  'breaker open': breaker,
  'breaker half-open': breaker,
  'breaker closed': breaker,
  'breaker mode set': (fields, at) => modeOf(fields, at, false),
  'breaker mode ended': (fields, at) => modeOf(fields, at, true),
  'retry budget spent': (fields, at) => ({
    kind: 'budget',
    at,
    upstream: text(fields.upstream),
    route: text(fields.route),
  }),
  'checkpoint store up': (_, at) => ({ kind: 'store', at, isUp: true, why: '' }),
  'checkpoint store down': ({ err }, at) => ({ kind: 'store', at, isUp: false, why: messageOf(err) }),
  'checkpoint store set aside: its file was malformed, a new one was begun': ({ why }, at) => ({
    kind: 'set_aside',
    at,
    why: text(why),
  }),
  'disk space low': ({ details }, at) => ({ kind: 'disk', at, isEnough: false, details: text(details) }),
  'disk space enough': ({ details }, at) => ({ kind: 'disk', at, isEnough: true, details: text(details) }),
  'body unkept': (fields, at) =>
    fields.why === 'disk'
      ? { kind: 'unkept', at, upstream: text(fields.upstream), route: text(fields.route), why: messageOf(fields.err) }
      : undefined,
  'configuration refused': ({ faults, version }, at) => ({
    kind: 'reload',
    at,
    outcome: 'refused',
    version: text(version),
    why: Array.isArray(faults) ? text(faults[0]) : '',
  }),
  'configuration reloaded': ({ version }, at) => ({
    kind: 'reload',
    at,
    outcome: 'applied',
    version: text(version),
    why: '',
  }),
  'configuration in force': ({ version }, at) => ({ kind: 'start', at, version: text(version) }),
  draining: (_, at) => ({ kind: 'stop', at }),
  'loop stalled': ({ ms }, at) => ({ kind: 'stalled', at, ms: number(ms) }),
}

const MESSAGE = /"msg":"((?:[^"\\]|\\.)*)"/g

export type ReadLine = { readonly at: number; readonly fact: Fact | undefined }

/** @returns undefined for a line that is not whole, or none of the sidecar's. */
export function factOf(line: string): ReadLine | undefined {
  const message = [...line.matchAll(MESSAGE)].at(-1)?.[1] ?? ''
  const read = Object.hasOwn(MESSAGES, message) ? MESSAGES[message] : undefined
  const fields = parsed(line)
  const at = Date.parse(text(fields?.time))
  if (fields === undefined || Number.isNaN(at)) return undefined
  // A line that says how often another one was repeated tells nothing new.
  const isNews = read !== undefined && fields.repeats === undefined
  return { at, fact: isNews ? read(fields, at) : undefined }
}

function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isMap(value) ? value : undefined
  } catch {
    return undefined // the last line of a log that is being written need not be whole
  }
}

function request(fields: Fields, at: number): RequestFact | undefined {
  const { upstream, route, status, reason, attempts, history, job_id: job } = fields
  if (typeof upstream !== 'string') return undefined
  const told = (Array.isArray(history) ? history : []).filter(isMap).map(attemptOf)
  return {
    kind: 'request',
    at,
    upstream,
    route: text(route),
    status: number(status),
    reason: typeof reason === 'string' && isFaultCode(reason) ? reason : undefined,
    attempts: number(attempts),
    outcomes: told,
    job: textOrNone(job),
    told: () => requestView(fields, at, told),
  }
}

const attemptOf = ({ at_ms, ms, outcome, endpoint }: Fields): AttemptView => ({
  at_ms: number(at_ms),
  ms: number(ms),
  outcome: String(outcome),
  endpoint: textOrNull(endpoint),
})

const requestView = (fields: Fields, at: number, history: readonly AttemptView[]): RequestView => ({
  at: isoTime(at),
  upstream: text(fields.upstream),
  route: text(fields.route),
  method: text(fields.method),
  path: text(fields.path),
  status: number(fields.status),
  reason: textOrNull(fields.reason),
  limit: textOrNull(fields.limit),
  attempts: number(fields.attempts),
  total_ms: number(fields.total_ms),
  first_byte_ms: typeof fields.first_byte_ms === 'number' ? fields.first_byte_ms : null,
  waits: {
    queue_ms: number(fields.queue_ms),
    backoff_ms: number(fields.backoff_ms),
    connect_ms: number(fields.connect_ms),
    breaker_ms: number(fields.breaker_ms),
    retry_after_ms: number(fields.retry_after_ms),
  },
  bytes_in: number(fields.bytes_in),
  bytes_out: number(fields.bytes_out),
  shared: fields.shared === true,
  retry_denied: textOrNull(fields.retry_denied),
  history,
  request_id: text(fields.request_id),
  trace_id: textOrNull(fields.trace_id),
})

function breaker(fields: Fields, at: number): Fact | undefined {
  const from = BREAKER_STATES.find((state) => state === fields.from)
  const to = BREAKER_STATES.find((state) => state === fields.to)
  if (from === undefined || to === undefined) return undefined
  const cause = TRIP_CAUSES.find((one) => one === fields.cause)
  const openMs = typeof fields.open_ms === 'number' ? fields.open_ms : undefined
  return { kind: 'breaker', at, ...placeOf(fields), from, to, cause, failure: textOrNone(fields.failure), openMs }
}

function modeOf(fields: Fields, at: number, hasEnded: boolean): Fact | undefined {
  const mode = BREAKER_MODES.find((one) => one === fields.mode)
  return mode && { kind: 'mode', at, ...placeOf(fields), mode, hasEnded }
}

const placeOf = ({ upstream, route, endpoint }: Fields) => ({
  upstream: text(upstream),
  route: textOrNone(route),
  endpoint: textOrNone(endpoint),
})

const messageOf = (error: unknown) => (isMap(error) ? text(error.message) : '')
const number = (value: unknown) => (typeof value === 'number' ? value : 0)
const text = (value: unknown) => (typeof value === 'string' ? value : '')
const textOrNull = (value: unknown) => (typeof value === 'string' ? value : null)
const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined)

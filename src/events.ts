/** What the data plane tells of itself. Metrics, log and page are folds over these; none of them talks back. */

import type { FaultCode } from './errors.ts'

/** Names from the configuration only, so that label values are bounded. One object for each route, made at compile time. */
export type RouteRef = {
  readonly upstream: string
  /** The route's `match` as written; `*` for requests that no route of the upstream matches. */
  readonly route: string
}

/** Where the spans of a request belong that is recorded (W3C Trace Context section 3.2); one object for each request. */
export type Trace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** Of the request's own span: 16 hexadecimal digits. */
  readonly spanId: string
  /** Of the client's span; '' when it told none. */
  readonly parentId: string
  /** As they go on: two hexadecimal digits. */
  readonly flags: string
}

/** What a response told of its job. */
export const JOB_OUTCOMES = ['failed', 'completed'] as const
export type JobOutcome = (typeof JOB_OUTCOMES)[number]

/** One attempt, as the log and who replays it see it. */
export type AttemptRecord = {
  /** Monotonic ms. */
  readonly startedAt: number
  /** To its response head, or to its end without one. */
  readonly ms: number
  readonly outcome: number | FaultCode
  /** Whether its response head came before the request had been sent whole, so that it was not repeated. */
  readonly early: boolean
  /** Origin; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  /** What its body told of a job; undefined when nothing, or not yet. */
  job: JobOutcome | undefined
  /** undefined unless the request that it was made for is recorded. */
  readonly span: AttemptSpan | undefined
}

export type AttemptSpan = {
  /** 16 hexadecimal digits: what the upstream was told as the parent of its own. */
  readonly id: string
  /** Of the request that the attempt was made for; others may share what it brought. */
  readonly trace: Trace
  /** Of its endpoint. */
  readonly origin: string
  /** As the upstream was asked for it, without the query. */
  readonly path: string
}

/** How a reply's body ended; `cancelled` when the sidecar or the client gave it up. */
export type BodyEnd = 'complete' | 'cancelled' | FaultCode

export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const
export type BreakerState = (typeof BREAKER_STATES)[number]

/** What an operator may have a breaker do: `observe` counts and reports, and rejects nothing. */
export const BREAKER_MODES = ['auto', 'forced-open', 'forced-closed', 'observe'] as const
export type BreakerMode = (typeof BREAKER_MODES)[number]

/** What opened a breaker. */
export const TRIP_CAUSES = ['consecutive', 'rate', 'slow', 'probe', 'jobs', 'forced'] as const
export type TripCause = (typeof TRIP_CAUSES)[number]

/** A request is over: its response's last byte is with the client, or the client is gone, or it was cut. */
export type RequestEvent = {
  readonly kind: 'request'
  /** undefined when no upstream was found for it. */
  readonly ref: RouteRef | undefined
  readonly id: string
  readonly method: string
  /** The path without its query, which may hold secrets. */
  readonly path: string
  /** Status sent to the client; 499 when it left before one was. */
  readonly status: number
  /** The sidecar's own cause; undefined when the upstream's response was relayed whole. */
  readonly reason: FaultCode | undefined
  readonly attempts: number
  readonly queueMs: number
  readonly backoffMs: number
  readonly connectMs: number
  /** From the request's arrival to the response head; undefined when none was sent. */
  readonly firstByteMs: number | undefined
  readonly totalMs: number
  /** Body bytes from the client, and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Monotonic ms at which it arrived. */
  readonly startedAt: number
  /** What each attempt came to, in the order of their ends. */
  readonly history: readonly Readonly<AttemptRecord>[]
  /** Whether the call that answered it was made for other requests as well (hold, collapse). */
  readonly shared: boolean
  /** undefined unless the request is recorded. */
  readonly trace: Trace | undefined
}

/** The request that an event is part of; undefined unless it is recorded. */
type OfTrace = { readonly trace: Trace | undefined }

export type Event =
  | RequestEvent
  /** An attempt came to a response head (status) or to none (reason). */
  | {
      readonly kind: 'attempt'
      readonly ref: RouteRef
      readonly status: number | undefined
      readonly reason: FaultCode | undefined
      readonly durationMs: number
      /** ms to a new connection; undefined when one was reused. */
      readonly connectMs: number | undefined
    }
  /** The body of a reply whose head had been relayed ended in any way but whole. */
  | { readonly kind: 'body_failed'; readonly ref: RouteRef; readonly end: BodyEnd }
  /** An attempt is about to be repeated; `cause` is the status or reason that asks for it. */
  | ({ readonly kind: 'retry'; readonly ref: RouteRef; readonly cause: string; readonly waitMs: number } & OfTrace)
  /** An attempt that was repeatable by its outcome was not repeated. */
  | ({ readonly kind: 'retry_denied'; readonly ref: RouteRef; readonly why: RetryDenial } & OfTrace)
  /** A request body could not be kept for a repetition: over `bodyBuffer`, or the disk refused it. */
  | { readonly kind: 'body_unkept'; readonly ref: RouteRef; readonly why: UnkeptCause; readonly error: unknown }
  /** A job input that a request told was not acceptable, and something else stands in for it. */
  | { readonly kind: 'input_refused'; readonly ref: RouteRef; readonly input: string }
  /** A request's timeouts were computed from its job's shape, in ms. */
  | {
      readonly kind: 'timeouts_computed'
      readonly ref: RouteRef
      readonly attemptMs: number
      readonly totalMs: number
    }
  /** A response told what became of a job, for the first time. */
  | { readonly kind: 'job_seen'; readonly ref: RouteRef; readonly outcome: JobOutcome; readonly id: string | undefined }
  /** A body that broke off goes on (or cannot), unnoticed by the client. */
  | ({ readonly kind: 'resume'; readonly ref: RouteRef; readonly resumed: boolean } & OfTrace)
  /** A request is answered by what another one, alike and under way, brings: a poll that is held, a call that is collapsed. */
  | ({ readonly kind: 'shared'; readonly ref: RouteRef; readonly by: 'hold' | 'collapse' } & OfTrace)
  /** A second attempt beside a slow one: the first to answer well is taken; `denied` when the budget did not allow it. */
  | ({ readonly kind: 'hedge'; readonly ref: RouteRef; readonly outcome: HedgeOutcome } & OfTrace)
  /** A pooled connection turned out closed when it was reused, and the request went out on a new one. */
  | ({ readonly kind: 'stale_connection'; readonly ref: RouteRef } & OfTrace)
  /** `trace` is that of the request whose attempt turned it, where it was one. */
  | ({
      readonly kind: 'breaker'
      readonly upstream: string
      /** The route that declares its own breaker; undefined for the upstream's. */
      readonly route: string | undefined
      /** Origin of the endpoint; undefined where the upstream has but one. */
      readonly endpoint: string | undefined
      readonly from: BreakerState
      readonly to: BreakerState
      readonly cause: TripCause | undefined
      /** ms until it lets probes through; undefined unless it opened. */
      readonly openMs: number | undefined
    } & OfTrace)
  /** An operator has said what a breaker is to do. */
  | {
      readonly kind: 'breaker_mode'
      readonly upstream: string
      readonly route: string | undefined
      readonly endpoint: string | undefined
      readonly mode: BreakerMode
    }
  /** The addresses of an upstream's name are other ones now, or could not be asked for: then the known ones stay. */
  | { readonly kind: 'name'; readonly host: string; readonly outcome: 'changed' | 'failed'; readonly error: unknown }
  /** A call to the checkpoint store ended; `isDown` when the store could not serve it. */
  | {
      readonly kind: 'store_call'
      readonly operation: string
      readonly isDown: boolean
      readonly durationMs: number
    }
  /** The checkpoint store's state at first, and each time it changes. */
  | { readonly kind: 'store'; readonly isUp: boolean; readonly error: unknown }
  /** What became of so many spans. */
  | { readonly kind: 'spans'; readonly outcome: SpanOutcome; readonly count: number }
  /** A call to the collector of traces ended; `error` undefined when it took them. */
  | { readonly kind: 'span_export'; readonly error: Error | undefined }
  /** The configuration says what it may say and will be sorry for; `place` is file, line and column. */
  | {
      readonly kind: 'config_warning'
      readonly rule: string
      readonly place: string
      readonly setting: string
      readonly reason: string
      readonly fix: string
    }
  | { readonly kind: 'listening'; readonly name: string; readonly address: string }
  /** A listener accepts no more connections: the configuration has it no more, or elsewhere. */
  | { readonly kind: 'closing'; readonly name: string; readonly address: string }
  /** A configuration was put in force, or refused. */
  | ({ readonly kind: 'reload' } & ReloadReport)
  | { readonly kind: 'draining'; readonly inFlight: number }
  /** `cut` requests and tunnels were still under way when the time for it was up. */
  | { readonly kind: 'drained'; readonly cut: number }
  /** A client's connection was turned away: a limit of the sidecar's own leaves no room for it. */
  | { readonly kind: 'turned_away'; readonly listener: string; readonly limit: LocalLimit }
  /** The descriptors of the process bound the connections of clients below `maxConnections`. */
  | { readonly kind: 'few_descriptors'; readonly descriptors: number; readonly connections: number }
  /** The process stood still for so long, stopped or starved: limits that were passed meanwhile say nothing of an upstream. */
  | { readonly kind: 'stalled'; readonly ms: number }
  /** Something inside went wrong that no request can be told of. */
  | { readonly kind: 'fault'; readonly error: unknown; readonly where: FaultPlace }
  /** A malformed file of the checkpoint store has the name `path` now, and a new one was begun. */
  | { readonly kind: 'store_set_aside'; readonly path: string; readonly why: string }
  /** The wall clock jumped against the monotonic one, in ms; negative for back. */
  | { readonly kind: 'clock_jump'; readonly byMs: number }

/** What had the configuration read: the start, a changed file, SIGHUP, or a call of the control API. */
export const RELOAD_TRIGGERS = ['start', 'file', 'signal', 'api'] as const
export type ReloadTrigger = (typeof RELOAD_TRIGGERS)[number]

export type ReloadReport = {
  readonly trigger: ReloadTrigger
  readonly outcome: 'applied' | 'refused'
  /** Of the text that was read; '' when it could not be. */
  readonly version: string
  /** Wall-clock ms since the Unix epoch. */
  readonly at: number
  /** What is wrong with it, in the order of the file; none when it was applied. */
  readonly faults: readonly ReloadFault[]
  /** Of upstreams by name, and of top-level keys; none when it was refused. */
  readonly changes: ConfigChanges
  /** Keys whose new value is not in force before a restart. */
  readonly restartNeeded: readonly string[]
}

export type ReloadFault = {
  /** From 1; undefined for what stands in no line of the file. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** Keys from the top, joined by dots; '' for the file as a whole. */
  readonly path: string
  readonly message: string
}

export type ConfigChanges = {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
  readonly keys: readonly string[]
}

/** `dropped` when too many waited, `failed` when the collector could not be told, `rejected` when it would not have them. */
type SpanOutcome = 'exported' | 'dropped' | 'failed' | 'rejected'

/** Whether the hedge was faster than the attempt that it stood beside. */
export const HEDGE_OUTCOMES = ['won', 'lost', 'denied'] as const
export type HedgeOutcome = (typeof HEDGE_OUTCOMES)[number]

/** The key `maxConnections`, what the system lets the process open, or the requests that one connection may have under way. */
export const LOCAL_LIMITS = ['maxConnections', 'descriptors', 'pipeline'] as const
export type LocalLimit = (typeof LOCAL_LIMITS)[number]

/** Over the route's `bodyBuffer`, refused by the disk, or over `bodies`, the total of all requests. */
export const UNKEPT_CAUSES = ['too_large', 'disk', 'total'] as const
export type UnkeptCause = (typeof UNKEPT_CAUSES)[number]

/** Why a repeatable outcome was not repeated: the set of `retry_denied`. */
export const RETRY_DENIALS = ['attempts', 'deadline', 'budget', 'breaker', 'method', 'body', 'early_response'] as const
export type RetryDenial = (typeof RETRY_DENIALS)[number]

/** Neither throws nor waits. */
/**
 * Entry points: what throws in one is a fault of the sidecar's, costs that one call and is counted by this name.
 * `attempt` is a callback of a call to an upstream, `observer` a fold over events, `timer` anything that a timer begins,
 * `stream` an event stream of the page, `process` an error that no guard has caught.
 */
export const FAULT_PLACES = [
  'request',
  'listener',
  'attempt',
  'connect',
  'resolver',
  'resume',
  'control',
  'stream',
  'observer',
  'timer',
  'store',
  'jobs',
  'watch',
  'process',
] as const
type FaultPlace = (typeof FAULT_PLACES)[number]

export type Emit = (event: Event) => void

/** The state of the data plane at one moment, derived from the clock when asked. */
export type Snapshot = {
  /** Request bodies that are kept for a repetition, in bytes. */
  readonly bodies: { readonly memory: number; readonly disk: number }
  readonly listeners: readonly { readonly name: string; readonly connections: number }[]
  readonly upstreams: readonly UpstreamSnapshot[]
}

export type UpstreamSnapshot = {
  readonly name: string
  readonly endpoints: readonly EndpointSnapshot[]
  readonly inFlight: number
  readonly queued: number
  /** Exchanges let through at once, as of now. */
  readonly limit: number
  /** How many times slower than unloaded its attempts are, as far as the adaptive limit knows; undefined without one. */
  readonly slowdown: number | undefined
  /** Clients whose poll is held. */
  readonly held: number
  /** Sockets to the upstream, idle ones included. */
  readonly connections: number
  /** Retries that the budget would allow right now. */
  readonly retryBudget: number
  readonly breakers: readonly BreakerSnapshot[]
}

export type EndpointSnapshot = {
  /** Scheme, host and port. */
  readonly origin: string
  readonly inFlight: number
  /** Whether its breaker lets requests through, probes included. */
  readonly isAvailable: boolean
}

export type BreakerSnapshot = {
  /** undefined for the upstream's own. */
  readonly route: string | undefined
  /** Origin of its endpoint; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  readonly mode: BreakerMode
  readonly state: BreakerState
  readonly consecutiveFailures: number
  /** ms until half open; 0 unless open. */
  readonly openForMs: number
  readonly probesInFlight: number
}

/** Tells each of the folds. A throw of one costs the others nothing and is told to all as a fault, once. */
export function emitTo(folds: readonly Emit[]): Emit {
  const emit: Emit = (event) => {
    for (const fold of folds) {
      try {
        fold(event)
      } catch (error) {
        if (event.kind !== 'fault' || event.where !== 'observer') emit({ kind: 'fault', error, where: 'observer' })
      }
    }
  }
  return emit
}

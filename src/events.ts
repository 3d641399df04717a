/** Events of the data plane. Metrics, log, page and traces fold over them. Nothing answers an event. */

import type { FaultCode, LimitNamed } from './errors.ts'

/**
 * Upstream and route of a label, with names from the configuration only, so that label values are bounded. One object per
 * route, made at compile time.
 */
export type RouteRef = {
  readonly upstream: string
  /** The route's `match` as written; `*` for requests that no route of the upstream matches. */
  readonly route: string
}

/** Trace context of a recorded request (W3C Trace Context section 3.2). One object per request. */
export type Trace = {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** Span id of the request: 16 hexadecimal digits. */
  readonly spanId: string
  /** Span id of the client; '' when it sent none. */
  readonly parentId: string
  /** Trace flags to pass on: two hexadecimal digits. */
  readonly flags: string
}

/** End of a job as a response reported it. */
export const JOB_OUTCOMES = ['failed', 'completed'] as const
export type JobOutcome = (typeof JOB_OUTCOMES)[number]

/** What a response says of its job. `gone`: the upstream does not know the job. */
export type JobState = JobOutcome | 'running' | 'gone'

/**
 * How a job ended: as its responses reported, or as the sidecar found. `abandoned`: nobody asked for it any more. `lost`: the
 * upstream no longer knows it.
 */
export const JOB_ENDS = ['completed', 'failed', 'cancelled', 'deadline', 'abandoned', 'lost'] as const
export type JobEndOutcome = (typeof JOB_ENDS)[number]

/** Why the id of a new job was not learned from the response. */
export const UNLEARNED_CAUSES = ['too_large', 'unreadable', 'no_id'] as const
export type UnlearnedCause = (typeof UNLEARNED_CAUSES)[number]

/** One attempt, for the log and for replays of it. */
export type AttemptRecord = {
  /** Monotonic ms. */
  readonly startedAt: number
  /** Time to the response head, or to the end of the attempt without a response that can be relayed. */
  ms: number
  /** Time in ms that the request waited for its response head once it was sent whole; undefined when it was not. */
  readonly headMs: number | undefined
  outcome: number | FaultCode
  /** Whether the response head came before the whole request was sent. Such an attempt is not retried. */
  readonly early: boolean
  /** Origin; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  /** End of a job that the body reported; undefined when it reported none, or not yet. */
  job: JobOutcome | undefined
  /** Wait that the answer's Retry-After asks for, in ms; 0 without one. */
  readonly retryAfterMs: number
  /** Time in ms from the start of the attempt to the moment at which its body broke off; undefined where it did not. */
  brokeMs: number | undefined
  /** undefined unless the request is recorded. */
  readonly span: AttemptSpan | undefined
}

export type AttemptSpan = {
  /** Span id of the attempt, sent to the upstream: 16 hexadecimal digits. */
  readonly id: string
  /** Trace of the request for which the attempt was made; shared calls answer others, too. */
  readonly trace: Trace
  /** Origin of the endpoint. */
  readonly origin: string
  /** Path as sent to the upstream, without the query. */
  readonly path: string
}

/** How a reply's body ended. `cancelled`: the sidecar or the client gave it up. */
export type BodyEnd = 'complete' | 'cancelled' | FaultCode

export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const
export type BreakerState = (typeof BREAKER_STATES)[number]

/** Modes that an operator can set: `observe` counts and reports, and rejects nothing. */
export const BREAKER_MODES = ['auto', 'forced-open', 'forced-closed', 'observe'] as const
export type BreakerMode = (typeof BREAKER_MODES)[number]

/** What an operator asks of a breaker. */
export type BreakerOrder = {
  readonly mode: BreakerMode
  readonly reason: string | undefined
  readonly by: string | undefined
  /** Time in ms after which the breaker is automatic again; undefined for never. */
  readonly forMs: number | undefined
}

/** What an operator said when they set a mode. Wall-clock ms since the Unix epoch. */
export type ForcedBreaker = {
  readonly reason: string | undefined
  readonly by: string | undefined
  readonly since: number
  /** undefined: until somebody sets another mode. */
  readonly until: number | undefined
}

/** Why a breaker opened. */
export const TRIP_CAUSES = ['consecutive', 'rate', 'slow', 'probe', 'jobs', 'hint', 'forced'] as const
export type TripCause = (typeof TRIP_CAUSES)[number]

/** A request has ended: its response was delivered, its client left, or it was cut. */
export type RequestEvent = {
  readonly kind: 'request'
  /** undefined when no upstream was found. */
  readonly ref: RouteRef | undefined
  readonly id: string
  readonly method: string
  /** The path without its query, which may hold secrets. */
  readonly path: string
  /** Status sent to the client; 499 when it left before. */
  readonly status: number
  /** Reason of the sidecar's own answer; undefined when the upstream's response was relayed whole. */
  readonly reason: FaultCode | undefined
  /** The setting that refused or ended it, where one did. */
  readonly limit: LimitNamed | undefined
  /** What the sidecar's own answer says beyond its reason, where that is no limit. */
  readonly detail?: string | undefined
  /** Fields whose values could not be read. */
  readonly ignored: readonly IgnoredField[]
  readonly attempts: number
  readonly queueMs: number
  readonly backoffMs: number
  readonly connectMs: number
  /** Time for which it waited for an open breaker. */
  readonly breakerMs: number
  /** Time for which it waited for the end of a Retry-After that another request was answered with. */
  readonly retryAfterMs: number
  /** From the arrival of the request to the response head; undefined without a head. */
  readonly firstByteMs: number | undefined
  readonly totalMs: number
  /** Body bytes received from the client and sent to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Monotonic ms of the arrival. */
  readonly startedAt: number
  /** Finished attempts, in the order of their ends. */
  readonly history: readonly Readonly<AttemptRecord>[]
  /** Why no further retry followed; undefined where nothing was left to retry. */
  readonly retryDenied: RetryDenial | undefined
  /** Whether the call that answered it was made for other requests, too (hold, collapse). */
  readonly shared: boolean
  /** The job that it belongs to; undefined when it names none. */
  readonly job: RequestJob | undefined
  /** undefined unless the request is recorded. */
  readonly trace: Trace | undefined
}

type RequestJob = {
  /** As the request or its response has it. */
  readonly id: string
  /** Whether the route's responses report on the job. */
  readonly isPoll: boolean
}

/** Trace of the request that the event belongs to; undefined unless it is recorded. */
type OfTrace = { readonly trace: Trace | undefined }

export type Event =
  | RequestEvent
  /** An attempt ended with a response head (status) or without one (reason). */
  | {
      readonly kind: 'attempt'
      readonly ref: RouteRef
      readonly status: number | undefined
      readonly reason: FaultCode | undefined
      /** What the system, TLS or the codec said of its failure; undefined for a limit of time. */
      readonly said?: string | undefined
      readonly durationMs: number
      /** Time to connect in ms; undefined for a reused connection. */
      readonly connectMs: number | undefined
    }
  /** A response body did not end whole: it was relayed so far, or the attempt was repeated. */
  | { readonly kind: 'body_failed'; readonly ref: RouteRef; readonly end: BodyEnd }
  /** A retry is about to start. `cause`: the status or the reason that is retried. */
  | ({ readonly kind: 'retry'; readonly ref: RouteRef; readonly cause: string; readonly waitMs: number } & OfTrace)
  /** A retryable outcome was not retried. */
  | ({ readonly kind: 'retry_denied'; readonly ref: RouteRef; readonly why: RetryDenial } & OfTrace)
  /** A request body was not kept for a retry. */
  | { readonly kind: 'body_unkept'; readonly ref: RouteRef; readonly why: UnkeptCause; readonly error: unknown }
  /** A request had a job input with a value that was not accepted. The next source, or the default, replaces it. */
  | { readonly kind: 'input_refused'; readonly ref: RouteRef; readonly input: string }
  /** Timeouts in ms that were computed for a request from its job's inputs. */
  | {
      readonly kind: 'timeouts_computed'
      readonly ref: RouteRef
      readonly attemptMs: number
      readonly totalMs: number
    }
  /** A response reported the end of a job for the first time. */
  | { readonly kind: 'job_seen'; readonly ref: RouteRef; readonly outcome: JobOutcome; readonly id: string | undefined }
  /** A response named a job that its request has created. */
  | {
      readonly kind: 'job_created'
      readonly ref: RouteRef
      readonly id: string
      readonly inputs: Readonly<Record<string, number | string>>
      /** Time for the job, in ms; undefined when nothing bounds it. */
      readonly deadlineMs: number | undefined
      readonly abandonedAfterMs: number
    }
  /** The id of a job that a request has created could not be read. */
  | { readonly kind: 'job_unlearned'; readonly ref: RouteRef; readonly why: UnlearnedCause }
  /** A response reported on a job. `status`: its word for the job's state; undefined without one. */
  | {
      readonly kind: 'job_reported'
      readonly ref: RouteRef
      readonly id: string
      /** Monotonic ms at which the request began that asked for it. */
      readonly askedNow: number
      readonly state: JobState
      readonly status: string | undefined
    }
  /** A job that was created here has ended. `ref`: the route that created it. */
  | {
      readonly kind: 'job_ended'
      readonly ref: RouteRef
      readonly id: string
      readonly outcome: JobEndOutcome
      readonly durationMs: number
      readonly polls: number
      readonly attempts: number
      readonly bytes: number
      readonly statuses: readonly string[]
    }
  /** A response body that broke off was resumed, or could not be. */
  | ({
      readonly kind: 'resume'
      readonly ref: RouteRef
      readonly resumed: boolean
      /** Why it was not; undefined when it was. */
      readonly why: ResumeDenial | undefined
    } & OfTrace)
  /** A request is answered by a call that was made for another one (hold, collapse). */
  | ({ readonly kind: 'shared'; readonly ref: RouteRef; readonly by: 'hold' | 'collapse' } & OfTrace)
  /** Clients leave held polls before `upTo`: they are held for less from now on. */
  | ({ readonly kind: 'hold_outlasts_client'; readonly ref: RouteRef } & Omit<ImpatientClient, 'route'>)
  /** A hedge ended: it won, lost, or was denied by the retry budget. */
  | ({ readonly kind: 'hedge'; readonly ref: RouteRef; readonly outcome: HedgeOutcome } & OfTrace)
  /** A pooled connection was closed when it was reused. The request was sent on a new one. */
  | ({ readonly kind: 'stale_connection'; readonly ref: RouteRef } & OfTrace)
  /** A request of a client, or a response of an upstream, that is no HTTP. */
  | {
      readonly kind: 'not_http'
      /** undefined for a request: no route is known. */
      readonly ref: RouteRef | undefined
      readonly detail: string
      /** Beginning of what came, in printable characters and without cookies; '' for a request, which may hold secrets. */
      readonly received: string
    }
  /** `trace`: of the request whose attempt changed the state, where there was one. */
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
      /** Time in ms until it admits probes; undefined unless it opened. */
      readonly openMs: number | undefined
      /** The failed call that opened it: a status or a reason; undefined where no call did. */
      readonly failure: string | undefined
    } & OfTrace)
  /** An operator set the mode of a breaker, or the time for which it was set is over (`hasEnded`). */
  | {
      readonly kind: 'breaker_mode'
      readonly upstream: string
      readonly route: string | undefined
      readonly endpoint: string | undefined
      readonly mode: BreakerMode
      readonly hasEnded: boolean
      /** undefined for `auto`. */
      readonly forced: ForcedBreaker | undefined
    }
  /** A reload gave a breaker a window of another length: it counts from now on. */
  | {
      readonly kind: 'breaker_window_restarted'
      readonly upstream: string
      readonly route: string | undefined
      readonly endpoint: string | undefined
    }
  /** The addresses of an upstream's name changed, or could not be looked up: then the known ones stay. */
  | { readonly kind: 'name'; readonly host: string; readonly outcome: 'changed' | 'failed'; readonly error: unknown }
  /** A file that holds a header's value was read after a change, or could not be read: then its last value is kept. */
  | { readonly kind: 'secret_file'; readonly path: string; readonly outcome: 'read' | 'kept'; readonly error: unknown }
  /** A call to the checkpoint store ended. `isDown`: the store could not serve it. */
  | {
      readonly kind: 'store_call'
      readonly operation: string
      readonly isDown: boolean
      readonly durationMs: number
    }
  /** The checkpoint store's first state, and each change of it. */
  | { readonly kind: 'store'; readonly isUp: boolean; readonly error: unknown }
  /** A call to the Redis of the fleet ended. */
  | {
      readonly kind: 'fleet_call'
      readonly operation: FleetOperation
      readonly isDown: boolean
      readonly durationMs: number
    }
  /** The first state of the fleet's Redis, and each change of it. */
  | { readonly kind: 'fleet'; readonly isUp: boolean; readonly error: unknown }
  /** The number of sidecars in the fleet changed. */
  | { readonly kind: 'fleet_pods'; readonly pods: number }
  /** A shared rate or limit is this sidecar's own share, because Redis does not answer; or is shared again. */
  | {
      readonly kind: 'fleet_share'
      readonly key: string
      readonly isAlone: boolean
      /** Number that holds for this sidecar alone. */
      readonly share: number
      readonly pods: number
    }
  /** Spans with the same outcome. */
  | { readonly kind: 'spans'; readonly outcome: SpanOutcome; readonly count: number }
  /** A call to the trace collector ended; `error` is undefined on success. */
  | { readonly kind: 'span_export'; readonly error: Error | undefined }
  /** A warning about the configuration, as `check` prints it. `place` is file, line and column. */
  | {
      readonly kind: 'config_warning'
      readonly rule: string
      readonly place: string
      readonly setting: string
      readonly reason: string
      readonly fix: string
    }
  | { readonly kind: 'listening'; readonly name: string; readonly address: string }
  /** A listener accepts no more connections, because the configuration moved or removed it. */
  | { readonly kind: 'closing'; readonly name: string; readonly address: string }
  /** A configuration came into force, or was refused. */
  | ({ readonly kind: 'reload' } & ReloadReport)
  | { readonly kind: 'draining'; readonly inFlight: number }
  /** The drain is over. `cut`: requests and tunnels that were still under way. */
  | { readonly kind: 'drained'; readonly cut: number }
  /** A client's connection or request was turned away by a limit of the sidecar. */
  | { readonly kind: 'turned_away'; readonly listener: string; readonly limit: LocalLimit }
  /** The process has too few descriptors for `maxConnections` client connections. */
  | { readonly kind: 'few_descriptors'; readonly descriptors: number; readonly connections: number }
  /** The process was paused for that many ms. Limits that passed meanwhile say nothing about an upstream. */
  | { readonly kind: 'stalled'; readonly ms: number }
  /** Whether the disk has room enough: each change of it. `details` are for people. */
  | { readonly kind: 'disk'; readonly isEnough: boolean; readonly details: string }
  /** An incident began, or is over. */
  | ({ readonly kind: 'incident' } & IncidentNews)
  /** A message about an incident was delivered, given up, or not even kept. */
  | { readonly kind: 'notification'; readonly outcome: NotificationOutcome; readonly error: Error | undefined }
  /** A defect inside the sidecar, or a failure that no request can report. */
  | { readonly kind: 'fault'; readonly error: unknown; readonly where: FaultPlace }
  /** A malformed file of the checkpoint store was renamed to `path`, and a new file begun. */
  | { readonly kind: 'store_set_aside'; readonly path: string; readonly why: string }
  /** The checkpoint store may delete acknowledged records, and why; undefined when it does so no longer. */
  | { readonly kind: 'store_evicts'; readonly why: string | undefined }
  /** The wall clock jumped against the monotonic one, in ms; negative for back. */
  | { readonly kind: 'clock_jump'; readonly byMs: number }

/** What an incident is about. */
export const INCIDENT_KINDS = ['upstream', 'budget', 'deadlines', 'store', 'disk', 'reload', 'lag'] as const

export const INCIDENT_PHASES = ['opened', 'closed'] as const
export type IncidentPhase = (typeof INCIDENT_PHASES)[number]

type IncidentNews = {
  readonly phase: IncidentPhase
  readonly id: string
  readonly about: (typeof INCIDENT_KINDS)[number]
  /** undefined for trouble of the sidecar's own. */
  readonly upstream: string | undefined
  readonly summary: string
  readonly durationMs: number
  readonly failed: number
  readonly refused: number
  readonly saved: number
}

/** `dropped`: too many wait. `failed`: given up after many attempts, or refused. */
export const NOTIFICATION_OUTCOMES = ['delivered', 'failed', 'dropped'] as const
type NotificationOutcome = (typeof NOTIFICATION_OUTCOMES)[number]

/** What triggered the reading of the configuration: start, changed file, SIGHUP or a call of the control API. */
export const RELOAD_TRIGGERS = ['start', 'file', 'signal', 'api'] as const
export type ReloadTrigger = (typeof RELOAD_TRIGGERS)[number]

export type ReloadReport = {
  readonly trigger: ReloadTrigger
  readonly outcome: 'applied' | 'refused'
  /** Version of the text that was read; '' when it could not be read. */
  readonly version: string
  /** Wall-clock ms since the Unix epoch. */
  readonly at: number
  /** Faults in the order of the file; none when it was applied. */
  readonly faults: readonly ReloadFault[]
  /** Changed upstreams by name, and changed top-level keys; none when it was refused. */
  readonly changes: ConfigChanges
  /** Keys whose new value needs a restart. */
  readonly restartNeeded: readonly string[]
}

export type ReloadFault = {
  /** From 1; undefined for a fault without a line. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** Keys from the top, joined by dots; '' for the whole file. */
  readonly path: string
  readonly message: string
}

export type ConfigChanges = {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
  readonly keys: readonly string[]
}

/** Calls to the Redis of a fleet. */
export const FLEET_OPERATIONS = ['beat', 'turns', 'permits', 'probe', 'tell'] as const
export type FleetOperation = (typeof FLEET_OPERATIONS)[number]

/** `dropped`: the queue was full. `failed`: the collector could not be reached. `rejected`: the collector refused them. */
export const SPAN_OUTCOMES = ['exported', 'dropped', 'failed', 'rejected'] as const
type SpanOutcome = (typeof SPAN_OUTCOMES)[number]

/** Whether a hedge was faster than the attempt beside it. */
export const HEDGE_OUTCOMES = ['won', 'lost', 'denied'] as const
export type HedgeOutcome = (typeof HEDGE_OUTCOMES)[number]

/** The setting `maxConnections`, or the process's descriptors. */
export const LOCAL_LIMITS = ['maxConnections', 'descriptors'] as const
export type LocalLimit = (typeof LOCAL_LIMITS)[number]

/** Larger than the route's `bodyBuffer`, refused by the disk, or over the total of `bodies`. */
export const UNKEPT_CAUSES = ['too_large', 'disk', 'total'] as const
export type UnkeptCause = (typeof UNKEPT_CAUSES)[number]

/** Fields of a request whose values the sidecar could not read. */
export const IGNORED_FIELDS = ['x-request-timeout'] as const
export type IgnoredField = (typeof IGNORED_FIELDS)[number]

/**
 * Why a response body that broke off was not resumed. The first five: the response does not allow it, by its length, its
 * Accept-Ranges, or its validators. `no_answer`: the call for the rest failed. `not_the_rest`: the answer was something else.
 */
export type ResumeDenial =
  | 'no_length'
  | 'no_ranges'
  | 'weak_etag'
  | 'recent_date'
  | 'no_validator'
  | 'attempts'
  | 'budget'
  | 'client_gone'
  | 'no_answer'
  | 'not_the_rest'
  | 'too_long'

/** Why a retryable outcome was not retried. */
export const RETRY_DENIALS = [
  'attempts',
  'deadline',
  'budget',
  'breaker',
  'waiting',
  'draining',
  'method',
  'body',
  'early_response',
] as const
export type RetryDenial = (typeof RETRY_DENIALS)[number]

/**
 * Entry points. What throws in one is a fault of the sidecar, costs that one call and is counted by this name. `attempt`: a
 * callback of a call to an upstream. `observer`: a fold over events. `timer`: anything that a timer starts. `stream`: an event
 * stream of the page. `process`: an error that no guard caught.
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

/** Takes an event. Neither throws nor waits. */
export type Emit = (event: Event) => void

/** State of the data plane at one moment. */
export type Snapshot = {
  /** Bytes of request bodies that are kept for a retry. */
  readonly bodies: { readonly memory: number; readonly disk: number }
  readonly listeners: readonly { readonly name: string; readonly connections: number }[]
  readonly upstreams: readonly UpstreamSnapshot[]
} & ServiceSnapshot

/** What upstreams share. */
export type ServiceSnapshot = { readonly limits: readonly LimitSnapshot[] }

/** One of `limits`. */
export type LimitSnapshot = {
  readonly name: string
  readonly max: number
  readonly inUse: number
  readonly queued: number
}

export type UpstreamSnapshot = {
  readonly name: string
  readonly endpoints: readonly EndpointSnapshot[]
  readonly inFlight: number
  readonly queued: number
  /** Present concurrency limit. */
  readonly limit: number
  /** Latency as a multiple of the unloaded latency; undefined without an adaptive limit. */
  readonly slowdown: number | undefined
  /** Clients whose poll is held. */
  readonly held: number
  /** Open connections to the upstream, including idle ones. */
  readonly connections: number
  /** Clients that leave held polls before `upTo`. */
  readonly impatient: readonly ImpatientClient[]
  /** Retries that the budget allows now. */
  readonly retryBudget: number
  /** undefined without a rate. */
  readonly rate: RateSnapshot | undefined
  /** Times for which the upstream asked to be left alone, by Retry-After. */
  readonly pauses: readonly PauseSnapshot[]
  readonly breakers: readonly BreakerSnapshot[]
}

/** Of one group of paths, all its callers together. */
export type PauseSnapshot = {
  /** Its route, or its method and path up to the first id. */
  readonly paths: string
  /** Requests that wait for its end. */
  readonly waiting: number
  /** Time in ms to the end of the longest; 0 where it is over and its waiters go one after the other. */
  readonly endsMs: number
}

export type RateSnapshot = {
  /** Requests that wait for their turn. */
  readonly waiting: number
  /** Time in ms until a request that came now would be let go; as far as is known where a fleet shares the rate. */
  readonly nextMs: number
  /** Longest wait of a request for its turn, in ms. */
  readonly queueTimeoutMs: number
  /** `own`: a fleet shares the rate, but does not answer, so that the sidecar's own share holds. */
  readonly turnsOf: 'sidecar' | 'fleet' | 'own'
}

/** Clients of a route with a hold, by their User-Agent. */
export type ImpatientClient = {
  readonly route: string
  /** User-Agent; '' for clients that send none. */
  readonly client: string
  /** Time after which they leave a held poll, in ms. */
  readonly patienceMs: number
  /** Time for which they are held, in ms; 0 when they are not held. */
  readonly heldMs: number
  /** As a warning of `check`: the consequence, and the remedy. */
  readonly reason: string
  readonly fix: string
}

export type EndpointSnapshot = {
  /** Scheme, host and port. */
  readonly origin: string
  readonly inFlight: number
  /** Whether its breaker admits requests, probes included. */
  readonly isAvailable: boolean
}

export type BreakerSnapshot = {
  /** undefined for the upstream's own. */
  readonly route: string | undefined
  /** Origin of its endpoint; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  readonly mode: BreakerMode
  /** undefined while the mode is `auto`. */
  readonly forced: ForcedBreaker | undefined
  readonly state: BreakerState
  readonly consecutiveFailures: number
  /** ms until half open; 0 unless open. */
  readonly openForMs: number
  readonly probesInFlight: number
}

/** Calls each fold with the event. A fold that throws affects no other; the error is emitted once, as a fault. */
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

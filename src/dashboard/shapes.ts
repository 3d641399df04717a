/** Responses and events of the control API that the page and `breakwater top` read. Times are ISO 8601 unless the name has a unit. */

export type BreakerState = 'closed' | 'open' | 'half-open'
export type BreakerMode = 'auto' | 'forced-open' | 'forced-closed' | 'observe'

/** `until` null: until somebody sets another mode. */
type ForcedView = {
  readonly since: string
  readonly until: string | null
  readonly reason: string | null
  readonly by: string | null
}

export type BreakerView = {
  /** null for the breaker of the upstream, which serves all routes without one of their own. */
  readonly route: string | null
  /** null when the upstream has one endpoint only. */
  readonly endpoint: string | null
  readonly mode: BreakerMode
  /** What an operator said of the mode; null while it is `auto`. */
  readonly forced: ForcedView | null
  readonly state: BreakerState
  readonly consecutive_failures: number
  readonly open_for_s: number
  readonly probes_in_flight: number
}

export type UpstreamView = {
  readonly name: string
  readonly endpoints: readonly { readonly origin: string; readonly in_flight: number; readonly available: boolean }[]
  readonly breakers: readonly BreakerView[]
  readonly in_flight: number
  readonly queued: number
  readonly limit: number
  readonly slowdown: number | null
  readonly held: number
  /** Clients that leave held polls before `upTo`: a warning, in the words of `check`. */
  readonly impatient: readonly {
    readonly route: string
    /** User-Agent; '' for clients that send none. */
    readonly client: string
    readonly patience_ms: number
    /** Time for which they are held; 0 when they are not held. */
    readonly held_ms: number
    readonly reason: string
    readonly fix: string
  }[]
  /** Where it asked to be left alone by Retry-After. `ends_in_s` 0: over, and its waiters go one after the other. */
  readonly pauses: readonly { readonly paths: string; readonly waiting: number; readonly ends_in_s: number }[]
  readonly connections: number
  readonly retry_budget: number
  readonly requests: { readonly total: number; readonly failed: number }
  readonly attempts: { readonly total: number }
  readonly resumes: { readonly resumed: number; readonly failed: number }
  readonly latency_ms: { readonly p50: number | null; readonly p90: number | null; readonly p99: number | null }
  readonly last_error: {
    readonly at: string
    readonly route: string
    readonly reason: string | null
    readonly status: number
  } | null
}

/** One of `limits`, which several upstreams share. */
export type LimitView = {
  readonly name: string
  readonly max: number
  readonly in_use: number
  readonly queued: number
}

/** Counters of one second, and gauges at its end. */
export type UpstreamSample = {
  readonly requests: number
  /** Refused ones included. */
  readonly failed: number
  /** Refused by the sidecar without an attempt, because of an open breaker, a limit or the request itself: never a cause. */
  readonly refused: number
  /** Succeeded after an attempt that had failed. */
  readonly saved: number
  readonly attempts: number
  /** Attempts that the upstream answered with 429. */
  readonly limited: number
  readonly retries: number
  readonly in_flight: number
  readonly queued: number
  readonly held: number
  readonly resumes: number
  readonly retry_budget: number
  /** null when no request ended. */
  readonly p50_ms: number | null
  readonly p90_ms: number | null
  readonly p99_ms: number | null
  /** The worst state that requests met in the second: of endpoints the best, of breakers of routes the worst. */
  readonly breaker: BreakerState
  /** Part of the second for which it was open, in ms. */
  readonly open_ms: number
}

export type Sample = { readonly at: string; readonly upstreams: Readonly<Record<string, UpstreamSample>> }

export type BreakerNews = {
  readonly at: string
  readonly upstream: string
  readonly route: string | null
  readonly endpoint: string | null
  readonly from: BreakerState
  readonly to: BreakerState
  readonly cause: string | null
  readonly open_ms: number | null
}

export type CheckpointNews = {
  readonly at: string
  readonly job: string
  readonly stage: string
  readonly completed_items: number
  readonly total_items: number
}

export type AttemptView = {
  /** Start of the attempt, from the request's arrival. */
  readonly at_ms: number
  readonly ms: number
  readonly outcome: string
  /** null when the upstream has one endpoint only. */
  readonly endpoint: string | null
}

/** What is told of every request. */
export type ToldRequest = {
  readonly at: string
  readonly upstream: string
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  /** null when the upstream itself answered with the status. */
  readonly reason: string | null
  readonly attempts: number
  readonly total_ms: number
  readonly history: readonly AttemptView[]
  readonly request_id: string
  /** null when the request is not traced. */
  readonly trace_id: string | null
}

export type Failure = ToldRequest & {
  /** Whether the sidecar refused it without an attempt. */
  readonly refused: boolean
}

/** Columns of an upstream, one value a step; null where the sidecar did not run, or did not know the upstream. */
export type HistoryColumns = {
  readonly requests: readonly (number | null)[]
  /** Failed, refused ones not included. */
  readonly failures: readonly (number | null)[]
  /** Refused by the sidecar without an attempt. */
  readonly refusals: readonly (number | null)[]
  readonly retries: readonly (number | null)[]
  /** Succeeded after an attempt that had failed. */
  readonly saved: readonly (number | null)[]
  /** Of the step's requests; null without any. */
  readonly p50_ms: readonly (number | null)[]
  readonly p99_ms: readonly (number | null)[]
  /** Seconds for which the upstream's breaker was open: that of any route, and at all endpoints. */
  readonly open_s: readonly (number | null)[]
  /** Most requests that were under way at the end of a second. */
  readonly in_flight: readonly (number | null)[]
}

/** What an operator, a file or the process did. */
export type HistoryMark = {
  readonly at: string
  readonly kind: 'started' | 'stopped' | 'reloaded' | 'refused' | 'breaker_mode'
  /** null where the whole sidecar is meant. */
  readonly upstream: string | null
  /** Version of the configuration, or the mode of the breaker. */
  readonly detail: string
}

/** Answer of `GET /v1/history`. */
export type HistoryView = {
  readonly from: string
  readonly to: string
  /** Length of a step. May be longer than asked for: see `from`. */
  readonly step_s: number
  /** Beginnings of the steps, whole multiples of `step_s` since the Unix epoch. */
  readonly at: readonly string[]
  /** By name, also those that the configuration no longer has. */
  readonly upstreams: Readonly<Record<string, HistoryColumns>>
  readonly marks: readonly HistoryMark[]
  /** Why what the store keeps could not be read: steps of it are null, though the sidecar ran. null when all was read. */
  readonly missing: string | null
}

/** What is in trouble: an upstream, or something of the sidecar's own. */
export type IncidentKind = 'upstream' | 'budget' | 'deadlines' | 'store' | 'disk' | 'reload' | 'lag'

/**
 * `ongoing`: there is trouble. `quiet`: the breaker has admitted probes for 30 s and nobody called, so that the next call
 * decides; no reason for an alarm. `ended`: the trouble is gone, and 30 s have passed without another.
 */
export type IncidentState = 'ongoing' | 'quiet' | 'ended'

export type IncidentCause = {
  /** A status or a reason: `503`, `reset`; for trouble of the sidecar's own the kind of the sign. */
  readonly cause: string
  /** Attempts that ended so; for a reason without an attempt, requests. */
  readonly count: number
  /** The same in words. */
  readonly text: string
  /** A request, attempt by attempt, which is kept as long as the incident: one that failed in the end, where there is one. */
  readonly example: RequestView | null
}

type IncidentSign = {
  readonly at: string
  /** Such as `breaker_open`, `failing`, `store_down`. */
  readonly sign: string
  readonly text: string
}

/** One incident, from its first sign to the recovery. */
export type IncidentView = {
  readonly id: string
  readonly kind: IncidentKind
  /** null for trouble of the sidecar's own. */
  readonly upstream: string | null
  readonly state: IncidentState
  readonly started_at: string
  /** End of the trouble; null before it has ended. */
  readonly ended_at: string | null
  readonly duration_s: number
  /** What happened, in one sentence or two. */
  readonly summary: string
  /** What was wrong and what the sidecar did about it, oldest first: the first ones and the last ones. */
  readonly signs: readonly IncidentSign[]
  /** Routes with requests that failed, were refused or were retried; most affected first. */
  readonly routes: readonly {
    readonly route: string
    readonly requests: number
    readonly failed: number
    readonly refused: number
    readonly saved: number
  }[]
  /** Most frequent first; those of the upstream before those of the sidecar. Refusals by an open breaker are none. */
  readonly causes: readonly IncidentCause[]
  readonly cost: {
    /** All requests of the upstream meanwhile. */
    readonly requests: number
    /** Refused ones not included. */
    readonly failed: number
    readonly refused: number
    /** Retries that were made. */
    readonly retried: number
    /** Requests that succeeded after an attempt that had failed. */
    readonly saved: number
    /** Ids of registered jobs whose requests failed or were refused; the first 20, and their number. */
    readonly jobs: readonly string[]
    readonly jobs_total: number
    /** Seconds for which a breaker was open. */
    readonly open_s: number
  }
  readonly advice: {
    /** What to do, in short. */
    readonly text: string
    /** The paragraph of the runbook: path and anchor. */
    readonly runbook: string
  }
  /** Version of the configuration that was in force; null when it is not known. */
  readonly config_version: string | null
}

/** Answer of `GET /v1/requests/{id}`. */
export type RequestView = ToldRequest & {
  /** The setting that refused or ended it. */
  readonly limit: string | null
  readonly first_byte_ms: number | null
  readonly waits: {
    readonly queue_ms: number
    readonly backoff_ms: number
    readonly connect_ms: number
    readonly breaker_ms: number
    readonly retry_after_ms: number
  }
  readonly bytes_in: number
  readonly bytes_out: number
  readonly shared: boolean
  /** Why no further retry followed. */
  readonly retry_denied: string | null
}

export type Job = {
  readonly job_id: string
  readonly inputs: Readonly<Record<string, string | number>>
  readonly timeouts: Readonly<Record<string, number>>
  readonly started_at: string
  readonly deadline_at: string | null
  readonly time_left_s: number | null
  /** null for a job that was registered by the control API. */
  readonly life: JobLifeView | null
}

/** A job that a request has created at an upstream. */
export type JobLifeView = {
  readonly upstream: string
  /** `match` of the route that created it. */
  readonly route: string
  /** As the upstream has it. */
  readonly id: string
  /** running, or how it ended. */
  readonly state: 'running' | 'completed' | 'failed' | 'cancelled' | 'deadline' | 'abandoned' | 'lost'
  /** The upstream's last word for its state; null before the first. */
  readonly status: string | null
  /** In order, with the time at which each was first seen. */
  readonly statuses: readonly { readonly status: string; readonly at: string }[]
  readonly polls: number
  readonly attempts: number
  readonly bytes: number
  /** To its end, or to now. */
  readonly age_s: number
  readonly seen_at: string
  readonly ended_at: string | null
}

export type StageProgress = {
  readonly stage: string
  readonly completed_items: number
  readonly total_items: number
}

/** `stages`: the newest last. */
export type JobProgress = { readonly job_id: string; readonly stages: readonly StageProgress[] }

export type CheckpointView = {
  readonly job_id: string
  readonly stage: string
  readonly progress: number
  readonly completed_items: number
  readonly total_items: number
  readonly item_ids: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly timestamp: string
  readonly revision: number
  readonly expires_at: string
}

export type Reload = {
  readonly at: string
  readonly trigger: string
  readonly outcome: string
  readonly version: string
  readonly faults: readonly {
    readonly line?: number | undefined
    readonly column?: number | undefined
    readonly path: string
    readonly message: string
  }[]
  /** Keys whose new value needs a restart. */
  readonly restart_needed: readonly string[]
}

export type ConfigView = {
  readonly version: string
  readonly file: string
  readonly since: string
  readonly config: Readonly<Record<string, unknown>>
  readonly last_reload: Reload | null
}

/** Answer of `GET /v1/config/changes`. `before`, `after` null: not in that text. */
export type ConfigChangesView = {
  readonly of: 'refused' | 'in force' | 'none'
  readonly from: string
  readonly to: string
  readonly changes:
    | readonly { readonly path: string; readonly before: string | null; readonly after: string | null }[]
    | null
}

/** Answer of `GET /v1/health`. `ready`: whether the sidecar takes traffic. */
export type HealthView = {
  readonly status: string
  readonly service: string
  readonly version: string
  readonly checks: Readonly<
    Record<string, { readonly healthy: boolean; readonly details: string; readonly latency_ms?: number | undefined }>
  >
  readonly timestamp: string
  readonly ready: boolean
}

/** The sidecars that share limits; `name` null without a fleet. */
export type FleetView = {
  readonly name: string | null
  /** Whether the fleet's Redis answered last. */
  readonly up: boolean
  readonly pods: number
  readonly members: readonly { readonly id: string; readonly host: string; readonly self: boolean }[]
  readonly leases: readonly { readonly limit: string; readonly holder: string; readonly permits: number }[]
  /** `held` null for a rate; `per_s` null for permits. */
  readonly limits: readonly {
    readonly limit: string
    readonly max: number
    readonly held: number | null
    readonly per_s: number | null
  }[]
}

/** Answer of `POST /v1/simulate`, as far as the page shows it. `rows`: titles, then a cell for each run. */
export type SimulationView = {
  readonly belief?: { readonly isBelievable: boolean; readonly says: readonly string[] }
  readonly assumptions: readonly string[]
  readonly remarks: readonly string[]
  readonly runs: readonly {
    readonly name: string
    readonly figures: { readonly requests: number; readonly outcomes: { readonly served: number } }
  }[]
  readonly rows: readonly (readonly string[])[]
}

/** A server-sent event: its name, and its data as text. */
export type ServerEvent = { readonly name: string; readonly data: string }

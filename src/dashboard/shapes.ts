/** Responses and events of the control API that the page and `breakwater top` read. Times are ISO 8601 unless the name has a unit. */

export type BreakerState = 'closed' | 'open' | 'half-open'
export type BreakerMode = 'auto' | 'forced-open' | 'forced-closed' | 'observe'

export type BreakerView = {
  /** null for the breaker of the upstream, which serves all routes without one of their own. */
  readonly route: string | null
  /** null when the upstream has one endpoint only. */
  readonly endpoint: string | null
  readonly mode: BreakerMode
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
  readonly failed: number
  readonly attempts: number
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
  /** State that requests meet: the best of several breakers. */
  readonly breaker: BreakerState
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

export type Failure = {
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

/** A server-sent event: its name, and its data as text. */
export type ServerEvent = { readonly name: string; readonly data: string }

/** The table of all metrics: type, name, help and labels. */

import type { FaultCode } from '../../errors.ts'

const metric =
  <const T extends 'counter' | 'gauge' | 'histogram'>(type: T) =>
  <const L extends readonly string[]>(name: string, help: string, labelNames: L) =>
    ({ type, name: `breakwater_${name}`, help, labelNames }) as const

const counter = metric('counter')
const gauge = metric('gauge')
const histogram = metric('histogram')

/** Values of the label `class`. */
export const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
export type StatusClass = (typeof STATUS_CLASSES)[number]

/** Time limits of an attempt, and of a whole request. Each is counted where it ends something. */
export const ATTEMPT_LIMITS = ['connect_timeout', 'attempt_timeout'] as const satisfies readonly FaultCode[]
export const REQUEST_LIMITS = [
  'total_timeout',
  'idle_timeout',
  'queue_timeout',
  'client_deadline',
  'job_deadline',
  'client_stalled',
] as const satisfies readonly FaultCode[]

const ROUTE = ['upstream', 'route'] as const

/**
 * All metrics of the sidecar, besides prom-client's defaults of the process. Label values are names of the configuration and
 * members of closed sets, never a path, an id or a message.
 */
export const METRICS = {
  requests: counter('requests_total', 'Finished requests', [...ROUTE, 'class', 'reason']),
  requestSeconds: histogram(
    'request_duration_seconds',
    'Time from the arrival of a request to the last byte of its response',
    ROUTE,
  ),
  firstByteSeconds: histogram(
    'request_first_byte_seconds',
    'Time from the arrival of a request to its response head',
    ROUTE,
  ),
  bodyBytes: counter('body_bytes_total', 'Body bytes received from clients (in) and sent to clients (out)', [
    'upstream',
    'direction',
  ]),
  unrouted: counter('unrouted_total', 'Requests that matched no upstream', ['reason']),
  attempts: counter('attempts_total', 'Attempts, by the class of the response or the reason of the failure', [
    ...ROUTE,
    'outcome',
  ]),
  attemptSeconds: histogram(
    'attempt_duration_seconds',
    'Time from the start of an attempt to its response head, or to its end without one',
    ['upstream'],
  ),
  resumes: counter('resumes_total', 'Response bodies that broke off: resumed, or not', [...ROUTE, 'outcome']),
  shared: counter('shared_total', 'Requests answered by a call that was made for another request', [...ROUTE, 'by']),
  hedges: counter('hedges_total', 'Hedged attempts: won (faster), lost, or denied by the retry budget', [
    ...ROUTE,
    'outcome',
  ]),
  ignoredFields: counter('ignored_fields_total', 'Request fields whose values could not be read', ['field']),
  nameResolutions: counter(
    'name_resolutions_total',
    'DNS lookups of upstream names that changed the addresses, or failed',
    ['outcome'],
  ),
  jobsSeen: counter('jobs_seen_total', 'Jobs whose response reported completion or failure', [...ROUTE, 'outcome']),
  jobs: counter('jobs_total', 'Jobs that ended, by the route that created them', [...ROUTE, 'outcome']),
  jobSeconds: histogram('job_duration_seconds', 'Time from the creation of a job to its end', [...ROUTE, 'outcome']),
  jobsUnlearned: counter('jobs_unlearned_total', 'Jobs that were created and whose id could not be read', [
    ...ROUTE,
    'why',
  ]),
  timeouts: counter('timeouts_total', 'Attempts and requests ended by a time limit', [...ROUTE, 'kind']),
  computedSeconds: histogram('computed_timeout_seconds', "Timeouts computed from a job's shape", [...ROUTE, 'timeout']),
  retries: counter('retries_total', 'Retries, by the status or the reason that caused them', [...ROUTE, 'cause']),
  retriesDenied: counter('retries_denied_total', 'Outcomes that were retryable and not retried', [...ROUTE, 'why']),
  bodyFailures: counter('body_failures_total', 'Response bodies that ended incomplete', [...ROUTE, 'end']),
  bodiesUnkept: counter('bodies_unkept_total', 'Request bodies that were not kept for a retry', [...ROUTE, 'why']),
  staleConnections: counter(
    'stale_connections_total',
    'Pooled connections that the upstream had closed when they were reused',
    ['upstream'],
  ),
  breakerTransitions: counter('breaker_transitions_total', 'Breaker state changes', [...ROUTE, 'from', 'to', 'cause']),
  inputsRefused: counter('inputs_refused_total', 'Job inputs with a value that was not accepted', ['input']),
  storeCalls: counter('checkpoint_operations_total', 'Calls to the checkpoint store', ['operation', 'outcome']),
  storeSeconds: histogram('checkpoint_operation_duration_seconds', 'Time of a call to the checkpoint store', [
    'operation',
  ]),
  storeUp: gauge(
    'checkpoint_store_up',
    '1 when the last call to the checkpoint store succeeded, 0 when it did not',
    [],
  ),
  spans: counter(
    'spans_total',
    'Spans: exported, dropped because the queue was full, failed or rejected by the collector',
    ['outcome'],
  ),
  spanExports: counter('span_exports_total', 'Calls to the collector of traces', ['outcome']),
  turnedAway: counter(
    'connections_turned_away_total',
    'Client connections and requests turned away by a limit of the sidecar',
    ['limit'],
  ),
  bodiesKept: gauge('bodies_kept_bytes', 'Bytes of request bodies that are kept for a retry', ['place']),
  stalls: counter('loop_stalls_total', 'Pauses of the process of more than 100 ms (stopped, or starved of CPU)', []),
  stalledSeconds: counter('loop_stalled_seconds_total', 'Time that the process spent paused', []),
  storesSetAside: counter(
    'checkpoint_files_set_aside_total',
    'Malformed files of the checkpoint store that were set aside',
    [],
  ),
  clockJumps: counter('clock_jumps_total', 'Jumps of the wall clock by a minute or more', []),
  incidents: counter('incidents_total', 'Incidents that began, by what they are about', ['about']),
  notifications: counter('notifications_total', 'Messages about incidents to the webhook', ['outcome']),
  faults: counter('faults_total', 'Faults inside the sidecar, by the entry point where they occurred', ['where']),
  inFlight: gauge('requests_in_flight', 'Requests that hold a concurrency slot of the upstream', ['upstream']),
  queued: gauge(
    'requests_queued',
    'Requests that wait for a slot, a connection, the rate, an open breaker or the end of a Retry-After',
    ['upstream'],
  ),
  concurrencyLimit: gauge('concurrency_limit', 'Present concurrency limit of the upstream', ['upstream']),
  sharedInUse: gauge('shared_limit_in_use', 'Requests that hold a slot of one of `limits`', ['limit']),
  sharedQueued: gauge('shared_limit_queued', 'Requests that wait for a slot of one of `limits`', ['limit']),
  sharedMax: gauge('shared_limit_max', 'Slots of one of `limits`', ['limit']),
  fleetUp: gauge('fleet_up', "1 when the last call to the fleet's Redis succeeded, 0 when it did not", []),
  fleetPods: gauge('fleet_pods', 'Last known number of sidecars of the fleet', []),
  fleetCalls: counter('fleet_calls_total', "Calls to the fleet's Redis", ['operation', 'outcome']),
  fleetSeconds: histogram('fleet_call_duration_seconds', "Time of a call to the fleet's Redis", ['operation']),
  fleetAlone: gauge(
    'fleet_alone',
    '1 while a shared rate or limit is the own share of this sidecar, 0 while it is shared',
    ['limit'],
  ),
  fleetFellBack: counter('fleet_fallbacks_total', 'Times that a shared rate or limit became the own share', ['limit']),
  slowdown: gauge(
    'upstream_slowdown_ratio',
    'Latency as a multiple of the unloaded latency, where the limit is adaptive',
    ['upstream'],
  ),
  held: gauge('polls_held', 'Clients whose poll is held', ['upstream']),
  endpointInFlight: gauge(
    'endpoint_requests_in_flight',
    'Requests under way at an endpoint, for upstreams with several endpoints',
    ['upstream', 'endpoint'],
  ),
  endpointState: gauge(
    'endpoint_breaker_state',
    'Breaker state of an endpoint (0 closed, 1 half-open, 2 open), for upstreams with several endpoints',
    [...ROUTE, 'endpoint'],
  ),
  endpointsAvailable: gauge('endpoints_available', 'Endpoints whose breaker lets requests through, probes included', [
    'upstream',
  ]),
  endpoints: gauge('endpoints', 'Endpoints of the upstream', ['upstream']),
  connections: gauge('connections', 'Open connections to the upstream, including idle ones', ['upstream']),
  clientConnections: gauge('client_connections', 'Open client connections, including idle ones', ['listener']),
  retryBudget: gauge('retry_budget', 'Retries that the retry budget allows now', ['upstream']),
  breakerState: gauge(
    'breaker_state',
    'Breaker state: 0 closed, 1 half-open, 2 open. With several endpoints, the best of them',
    ROUTE,
  ),
  breakersForced: gauge('breakers_forced', 'Breakers that an operator holds in a mode', ['upstream']),
  reloadSuccessful: gauge('config_reload_successful', '1 when the last reload succeeded, 0 when it was refused', []),
  reloads: counter('config_reloads_total', 'Reloads of the configuration, by trigger', ['trigger', 'outcome']),
  reloadedAt: gauge('config_last_reload_timestamp_seconds', 'Unix time of the last successful reload', []),
  configInfo: gauge('config_info', 'Always 1. The version is the beginning of the SHA-256 of the configuration file', [
    'version',
  ]),
  buildInfo: gauge('build_info', 'Always 1', ['service', 'version', 'node']),
}

/** Bucket bounds of the duration of jobs: from a second to a day. */
export const JOB_SECONDS = [1, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43_200, 86_400]

/** Bucket bounds of each other histogram, from a millisecond to ten minutes: cached answers and rendered videos share them. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

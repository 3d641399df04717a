/** Every series of ours: its type, its name, what it says and by what it is split. */

const metric =
  <const T extends 'counter' | 'gauge' | 'histogram'>(type: T) =>
  <const L extends readonly string[]>(name: string, help: string, labelNames: L) =>
    ({ type, name: `breakwater_${name}`, help, labelNames }) as const

const counter = metric('counter')
const gauge = metric('gauge')
const histogram = metric('histogram')

const ROUTE = ['upstream', 'route'] as const

/**
 * Every series of ours; the process's own (prom-client's defaults) come on top. Label values are names from the
 * configuration and members of closed sets, never a path, an id or a message. `class` and `reason` are `none` for a
 * request that got no status and for one that was relayed whole; `route` is `*` for an upstream's own breaker and for
 * requests that match no route.
 */
export const METRICS = {
  requests: counter('requests_total', 'Requests that ended', [...ROUTE, 'class', 'reason']),
  requestSeconds: histogram('request_duration_seconds', 'From a request to the last byte of its response', ROUTE),
  firstByteSeconds: histogram('request_first_byte_seconds', 'From a request to the head of its response', ROUTE),
  bodyBytes: counter('body_bytes_total', 'Body bytes from (in) and to (out) clients', ['upstream', 'direction']),
  unrouted: counter('unrouted_total', 'Requests for which no upstream was found', ['reason']),
  attempts: counter('attempts_total', 'Attempts to get a response, by its class or the reason', [...ROUTE, 'outcome']),
  attemptSeconds: histogram('attempt_duration_seconds', 'From an attempt to its response head or end', ['upstream']),
  resumes: counter('resumes_total', 'Bodies that broke off and were gone on with, or could not be', [
    ...ROUTE,
    'outcome',
  ]),
  shared: counter('shared_total', 'Requests answered by what another one, alike and under way, brought', [
    ...ROUTE,
    'by',
  ]),
  hedges: counter('hedges_total', 'Attempts beside a slow one: whether they were faster, or denied by the budget', [
    ...ROUTE,
    'outcome',
  ]),
  nameResolutions: counter('name_resolutions_total', 'Names whose addresses changed, or could not be asked for anew', [
    'outcome',
  ]),
  jobsSeen: counter('jobs_seen_total', 'Jobs that a response told the end of', [...ROUTE, 'outcome']),
  timeouts: counter('timeouts_total', 'Times that a limit ended an attempt or a request', [...ROUTE, 'kind']),
  computedSeconds: histogram('computed_timeout_seconds', "Timeouts computed from a job's shape", [...ROUTE, 'timeout']),
  retries: counter('retries_total', 'Attempts repeated, by the status or reason that asked for it', [
    ...ROUTE,
    'cause',
  ]),
  retriesDenied: counter('retries_denied_total', 'Repeatable outcomes that were not repeated', [...ROUTE, 'why']),
  bodyFailures: counter('body_failures_total', 'Response bodies that did not end whole', [...ROUTE, 'end']),
  bodiesUnkept: counter('bodies_unkept_total', 'Request bodies not kept for a repetition', [...ROUTE, 'why']),
  staleConnections: counter('stale_connections_total', 'Pooled connections found closed on reuse', ['upstream']),
  breakerTransitions: counter('breaker_transitions_total', 'State changes', [...ROUTE, 'from', 'to', 'cause']),
  inputsRefused: counter('inputs_refused_total', 'Job inputs that were not acceptable', ['input']),
  storeCalls: counter('checkpoint_operations_total', 'Calls to the checkpoint store', ['operation', 'outcome']),
  storeSeconds: histogram('checkpoint_operation_duration_seconds', 'Of a call to the checkpoint store', ['operation']),
  storeUp: gauge('checkpoint_store_up', '1 when the checkpoint store answered last', []),
  spans: counter('spans_total', 'Spans: exported, dropped as too many waited, failed or rejected at the collector', [
    'outcome',
  ]),
  spanExports: counter('span_exports_total', 'Calls to the collector of traces', ['outcome']),
  turnedAway: counter(
    'connections_turned_away_total',
    'Connections of clients for which a limit of the sidecar left no room',
    ['limit'],
  ),
  bodiesKept: gauge('bodies_kept_bytes', 'Request bodies kept for a repetition', ['place']),
  stalls: counter('loop_stalls_total', 'Times that the process stood still for over 100 ms, stopped or starved', []),
  stalledSeconds: counter('loop_stalled_seconds_total', 'Time in which the process stood still', []),
  storesSetAside: counter('checkpoint_files_set_aside_total', 'Malformed files of the checkpoint store', []),
  clockJumps: counter('clock_jumps_total', 'Jumps of the wall clock of a minute or more', []),
  faults: counter('faults_total', 'Faults inside the sidecar, by the entry point in which they came up', ['where']),
  inFlight: gauge('requests_in_flight', 'Requests that hold a slot of the upstream', ['upstream']),
  queued: gauge('requests_queued', 'Requests that wait for a slot', ['upstream']),
  concurrencyLimit: gauge('concurrency_limit', 'Requests that the upstream gets at once, as of now', ['upstream']),
  slowdown: gauge('upstream_slowdown_ratio', 'How many times slower than unloaded, where the limit is adaptive', [
    'upstream',
  ]),
  held: gauge('polls_held', 'Clients whose poll is held', ['upstream']),
  endpointInFlight: gauge('endpoint_requests_in_flight', 'Requests at one of several endpoints', [
    'upstream',
    'endpoint',
  ]),
  endpointState: gauge('endpoint_breaker_state', '0 closed, 1 half-open, 2 open, of one of several endpoints', [
    ...ROUTE,
    'endpoint',
  ]),
  endpointsAvailable: gauge('endpoints_available', 'Endpoints that get requests, probes included', ['upstream']),
  endpoints: gauge('endpoints', 'Endpoints that there are', ['upstream']),
  connections: gauge('connections', 'Sockets to the upstream, idle ones included', ['upstream']),
  clientConnections: gauge('client_connections', 'Sockets of clients, idle ones included', ['listener']),
  retryBudget: gauge('retry_budget', 'Retries that the budget would allow now', ['upstream']),
  breakerState: gauge('breaker_state', '0 closed, 1 half-open, 2 open; of several endpoints the best', ROUTE),
  breakersForced: gauge('breakers_forced', 'Breakers that do what an operator said, not what they counted', [
    'upstream',
  ]),
  reloadSuccessful: gauge('config_reload_successful', '1 while the configuration in force is the newest one read', []),
  reloads: counter('config_reloads_total', 'Times that the configuration was read again, by what asked for it', [
    'trigger',
    'outcome',
  ]),
  reloadedAt: gauge('config_last_reload_timestamp_seconds', 'When the configuration in force was taken, Unix time', []),
  configInfo: gauge('config_info', 'Always 1; the version is the beginning of the SHA-256 of the file', ['version']),
  buildInfo: gauge('build_info', 'Always 1', ['service', 'version', 'node']),
}

/** Bounds of the buckets of each histogram, from one millisecond to ten minutes: a cached answer and a rendered video share them. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

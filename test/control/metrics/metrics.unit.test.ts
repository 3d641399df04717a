import assert from 'node:assert/strict'
import { test } from 'vitest'
import { METRICS } from '../../../src/control/metrics/metric-table.ts'
import { createMetrics } from '../../../src/control/metrics/metrics.ts'
import { type BreakerState, type Event, FAULT_PLACES, type RouteRef, type Snapshot } from '../../../src/events.ts'
import { attemptEvent, breakerEvent, EMPTY, JOBS, requestEvent, SEARCH, upstreamSnapshot } from '../samples.ts'

const ABOUT = { service: 'make-video', version: '0.1.0' }

/** Series and their values in a scrape after these events, without the process metrics. */
async function scrapeOf(events: readonly Event[], snapshot: Snapshot = EMPTY): Promise<Record<string, number>> {
  const metrics = createMetrics(ABOUT, () => snapshot)
  for (const event of events) metrics.record(event)
  return parse((await metrics.scrape('')).body)
}

function parse(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !isProcess(line))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

const isProcess = (line: string) => /breakwater_(process|nodejs)_/.test(line)

/** The series whose name begins with `name`, without the buckets of histograms. */
const only = (series: Record<string, number>, name: string) =>
  Object.fromEntries(Object.entries(series).filter(([key]) => key.startsWith(name) && !key.includes('_bucket{')))

test("requests: counted by the class of the client's status and by the reason", async () => {
  const series = await scrapeOf([
    requestEvent(),
    requestEvent(),
    requestEvent({ ref: SEARCH, status: 503, reason: 'breaker_open' }),
    requestEvent({ status: 503 }),
    requestEvent({ status: 206, reason: 'body_truncated' }),
    requestEvent({ status: 499, reason: 'client_gone', firstByteMs: undefined }),
    requestEvent({ status: 499 }),
    ...[101, 199, 200, 299, 300, 399, 400, 500, 599, 600, 799, 99].map((status) => requestEvent({ status })),
  ])
  const jobs = 'upstream="youtube-search",route="GET /jobs/{id}"'
  assert.deepEqual(only(series, 'breakwater_requests_total'), {
    [`breakwater_requests_total{${jobs},class="2xx",reason="none"}`]: 4,
    'breakwater_requests_total{upstream="youtube-search",route="POST /search/*",class="5xx",reason="breaker_open"}': 1,
    [`breakwater_requests_total{${jobs},class="5xx",reason="none"}`]: 6,
    [`breakwater_requests_total{${jobs},class="2xx",reason="body_truncated"}`]: 1,
    [`breakwater_requests_total{${jobs},class="none",reason="client_gone"}`]: 1,
    [`breakwater_requests_total{${jobs},class="4xx",reason="none"}`]: 2,
    [`breakwater_requests_total{${jobs},class="1xx",reason="none"}`]: 2,
    [`breakwater_requests_total{${jobs},class="3xx",reason="none"}`]: 2,
  })
})

test('durations: are in seconds; a request without a response head has no first-byte duration', async () => {
  const series = await scrapeOf([
    requestEvent({ firstByteMs: 12, totalMs: 40 }),
    requestEvent({ status: 499, reason: 'client_gone', firstByteMs: undefined, totalMs: 2_500 }),
    attemptEvent({ durationMs: 12 }),
  ])
  const jobs = '{upstream="youtube-search",route="GET /jobs/{id}"}'
  assert.deepEqual(only(series, 'breakwater_request_duration_seconds'), {
    [`breakwater_request_duration_seconds_sum${jobs}`]: 2.54,
    [`breakwater_request_duration_seconds_count${jobs}`]: 2,
  })
  assert.deepEqual(only(series, 'breakwater_request_first_byte_seconds'), {
    [`breakwater_request_first_byte_seconds_sum${jobs}`]: 0.012,
    [`breakwater_request_first_byte_seconds_count${jobs}`]: 1,
  })
  assert.deepEqual(only(series, 'breakwater_attempt_duration_seconds'), {
    'breakwater_attempt_duration_seconds_sum{upstream="youtube-search"}': 0.012,
    'breakwater_attempt_duration_seconds_count{upstream="youtube-search"}': 1,
  })
})

test('scrape: an OpenMetrics scrape does not change the names of later text scrapes', async () => {
  const metrics = createMetrics(ABOUT, () => EMPTY)
  metrics.record(requestEvent())
  const namesOf = ({ body }: { readonly body: string }) => body.match(/^# TYPE \S+|^[a-z_]+/gm)
  const before = namesOf(await metrics.scrape(''))
  const open = await metrics.scrape('application/openmetrics-text')
  assert.match(open.body, /^# TYPE breakwater_requests counter$/m)
  assert.match(open.body, /^breakwater_requests_total\{/m)
  assert.deepEqual(namesOf(await metrics.scrape('')), before)
})

test('buckets: range from 1 ms to 10 minutes', async () => {
  const series = await scrapeOf([attemptEvent({ durationMs: 0.9 }), attemptEvent({ durationMs: 599_000 })])
  const bucket = (le: string) =>
    series[`breakwater_attempt_duration_seconds_bucket{le="${le}",upstream="youtube-search"}`]
  assert.deepEqual(['0.001', '300', '600', '+Inf'].map(bucket), [1, 1, 2, 2])
})

test('body bytes: add up by upstream and direction', async () => {
  const series = await scrapeOf([
    requestEvent({ bytesIn: 100, bytesOut: 2_000 }),
    requestEvent({ ref: SEARCH, bytesIn: 50, bytesOut: 3 }),
  ])
  assert.deepEqual(only(series, 'breakwater_body_bytes_total'), {
    'breakwater_body_bytes_total{upstream="youtube-search",direction="in"}': 150,
    'breakwater_body_bytes_total{upstream="youtube-search",direction="out"}': 2_003,
  })
})

test('unrouted: a request without an upstream is counted by its reason alone', async () => {
  const series = await scrapeOf([
    requestEvent({ ref: undefined, status: 404, reason: 'unknown_upstream' }),
    requestEvent({ ref: undefined, status: 400, reason: 'bad_target' }),
  ])
  assert.deepEqual(only(series, 'breakwater_unrouted_total'), {
    'breakwater_unrouted_total{reason="unknown_upstream"}': 1,
    'breakwater_unrouted_total{reason="bad_target"}': 1,
  })
  assert.deepEqual(only(series, 'breakwater_requests_total'), {})
})

test('events: each is counted by one counter, with its cause or outcome as label', async () => {
  const series = await scrapeOf([
    attemptEvent(),
    attemptEvent({ status: undefined, reason: 'connect_refused' }),
    { kind: 'retry', ref: JOBS, cause: '503', waitMs: 2_000, trace: undefined },
    { kind: 'retry', ref: JOBS, cause: 'connect_refused', waitMs: 4_000, trace: undefined },
    { kind: 'retry_denied', ref: JOBS, why: 'budget', trace: undefined },
    { kind: 'body_failed', ref: JOBS, end: 'body_truncated' },
    { kind: 'body_unkept', ref: SEARCH, why: 'too_large', error: undefined },
    { kind: 'stale_connection', ref: JOBS, trace: undefined },
    { kind: 'store_call', operation: 'append', isDown: false, durationMs: 3 },
    { kind: 'store_call', operation: 'append', isDown: true, durationMs: 800 },
    { kind: 'store', isUp: true, error: undefined },
    { kind: 'fault', error: new Error('odd'), where: 'control' },
    breakerEvent(),
    breakerEvent({ route: JOBS.route, from: 'half-open', to: 'closed', cause: undefined, openMs: undefined }),
  ])
  const jobs = 'upstream="youtube-search",route="GET /jobs/{id}"'
  const histograms = /_seconds_(sum|count)|_seconds_bucket|build_info|config_(reload|last)/
  const counters = Object.fromEntries(Object.entries(series).filter(([key]) => !histograms.test(key)))
  assert.deepEqual(counters, {
    [`breakwater_attempts_total{${jobs},outcome="2xx"}`]: 1,
    [`breakwater_attempts_total{${jobs},outcome="connect_refused"}`]: 1,
    [`breakwater_retries_total{${jobs},cause="503"}`]: 1,
    [`breakwater_retries_total{${jobs},cause="connect_refused"}`]: 1,
    [`breakwater_retries_denied_total{${jobs},why="budget"}`]: 1,
    [`breakwater_body_failures_total{${jobs},end="body_truncated"}`]: 1,
    'breakwater_bodies_unkept_total{upstream="youtube-search",route="POST /search/*",why="too_large"}': 1,
    'breakwater_stale_connections_total{upstream="youtube-search"}': 1,
    'breakwater_checkpoint_operations_total{operation="append",outcome="done"}': 1,
    'breakwater_checkpoint_operations_total{operation="append",outcome="down"}': 1,
    breakwater_checkpoint_store_up: 1,
    'breakwater_bodies_kept_bytes{place="memory"}': 0,
    'breakwater_bodies_kept_bytes{place="disk"}': 0,
    breakwater_loop_stalled_seconds_total: 0,
    breakwater_loop_stalls_total: 0,
    ...Object.fromEntries(FAULT_PLACES.map((where) => [`breakwater_faults_total{where="${where}"}`, 0])),
    'breakwater_faults_total{where="control"}': 1,
    breakwater_checkpoint_files_set_aside_total: 0,
    breakwater_clock_jumps_total: 0,
    'breakwater_breaker_transitions_total{upstream="youtube-search",route="*",from="closed",to="open",cause="consecutive"}': 1,
    [`breakwater_breaker_transitions_total{${jobs},from="half-open",to="closed",cause="none"}`]: 1,
  })
})

test('series: 2,000 requests with distinct paths and ids add no series', async () => {
  const visit = (n: number): Event[] => [
    attemptEvent(),
    requestEvent({ path: `/jobs/${n}`, id: `id-${n}`, method: `M${n}` }),
  ]
  const one = await scrapeOf(visit(0))
  const many = await scrapeOf(Array.from({ length: 2_000 }, (_, n) => visit(n)).flat())
  assert.deepEqual(Object.keys(many), Object.keys(one))
  assert.equal(
    only(many, 'breakwater_requests_total{')[Object.keys(only(one, 'breakwater_requests_total{'))[0] ?? ''],
    2_000,
  )
})

test('series: after a reload, requests of the same route count in the same series', async () => {
  const again: RouteRef = { ...JOBS }
  const series = await scrapeOf([requestEvent(), requestEvent({ ref: again })])
  assert.deepEqual(Object.values(only(series, 'breakwater_requests_total')), [2])
})

test('gauges: show the state at the scrape; a removed upstream has none', async () => {
  const breakers = (own: BreakerState, ofRoute: BreakerState) =>
    [
      { route: undefined, endpoint: undefined, state: own },
      { route: JOBS.route, endpoint: undefined, state: ofRoute },
    ].map((breaker) => ({
      ...breaker,
      mode: 'auto' as const,
      forced: undefined,
      consecutiveFailures: 0,
      openForMs: 0,
      probesInFlight: 0,
    }))
  const gauges = (series: Record<string, number>) =>
    Object.fromEntries(
      Object.entries(series).filter(
        ([key]) =>
          !/^breakwater_(?:build_info|faults_total|loop_|checkpoint_(?:store_up|files)|clock_jumps|config_)/.test(key),
      ),
    )
  let now: Snapshot = {
    bodies: { memory: 10, disk: 20 },
    listeners: [{ name: 'listen', connections: 4 }],
    limits: [{ name: 'gpu', max: 2, inUse: 1, queued: 3 }],
    upstreams: [
      upstreamSnapshot({
        inFlight: 3,
        queued: 2,
        connections: 5,
        retryBudget: 7,
        breakers: breakers('open', 'half-open'),
      }),
    ],
  }
  const metrics = createMetrics(ABOUT, () => now)
  assert.deepEqual(gauges(parse((await metrics.scrape('')).body)), {
    'breakwater_client_connections{listener="listen"}': 4,
    'breakwater_bodies_kept_bytes{place="memory"}': 10,
    'breakwater_bodies_kept_bytes{place="disk"}': 20,
    'breakwater_requests_in_flight{upstream="youtube-search"}': 3,
    'breakwater_requests_queued{upstream="youtube-search"}': 2,
    'breakwater_concurrency_limit{upstream="youtube-search"}': 64,
    'breakwater_polls_held{upstream="youtube-search"}': 0,
    'breakwater_endpoints{upstream="youtube-search"}': 1,
    'breakwater_breakers_forced{upstream="youtube-search"}': 0,
    'breakwater_endpoints_available{upstream="youtube-search"}': 1,
    'breakwater_connections{upstream="youtube-search"}': 5,
    'breakwater_retry_budget{upstream="youtube-search"}': 7,
    'breakwater_shared_limit_in_use{limit="gpu"}': 1,
    'breakwater_shared_limit_queued{limit="gpu"}': 3,
    'breakwater_shared_limit_max{limit="gpu"}': 2,
    'breakwater_breaker_state{upstream="youtube-search",route="*"}': 2,
    'breakwater_breaker_state{upstream="youtube-search",route="GET /jobs/{id}"}': 1,
  })
  now = {
    bodies: { memory: 0, disk: 0 },
    listeners: [],
    limits: [],
    upstreams: [
      upstreamSnapshot({
        name: 'video-downloader',
        retryBudget: 30,
        slowdown: 1.5,
        held: 3,
        endpoints: [
          { origin: 'http://a:1', inFlight: 2, isAvailable: true },
          { origin: 'http://b:1', inFlight: 0, isAvailable: false },
        ],
        breakers: [
          ...breakers('half-open', 'open').map((one) => ({ ...one, endpoint: 'http://a:1' })),
          ...breakers('open', 'open').map((one) => ({ ...one, endpoint: 'http://b:1' })),
        ],
      }),
    ],
  }
  assert.deepEqual(gauges(parse((await metrics.scrape('')).body)), {
    'breakwater_bodies_kept_bytes{place="memory"}': 0,
    'breakwater_bodies_kept_bytes{place="disk"}': 0,
    'breakwater_requests_in_flight{upstream="video-downloader"}': 0,
    'breakwater_requests_queued{upstream="video-downloader"}': 0,
    'breakwater_connections{upstream="video-downloader"}': 0,
    'breakwater_retry_budget{upstream="video-downloader"}': 30,
    'breakwater_concurrency_limit{upstream="video-downloader"}': 64,
    'breakwater_upstream_slowdown_ratio{upstream="video-downloader"}': 1.5,
    'breakwater_polls_held{upstream="video-downloader"}': 3,
    'breakwater_endpoints{upstream="video-downloader"}': 2,
    'breakwater_breakers_forced{upstream="video-downloader"}': 0,
    'breakwater_endpoints_available{upstream="video-downloader"}': 1,
    'breakwater_endpoint_requests_in_flight{upstream="video-downloader",endpoint="http://a:1"}': 2,
    'breakwater_endpoint_requests_in_flight{upstream="video-downloader",endpoint="http://b:1"}': 0,
    'breakwater_endpoint_breaker_state{upstream="video-downloader",route="*",endpoint="http://a:1"}': 1,
    'breakwater_endpoint_breaker_state{upstream="video-downloader",route="GET /jobs/{id}",endpoint="http://a:1"}': 2,
    'breakwater_endpoint_breaker_state{upstream="video-downloader",route="*",endpoint="http://b:1"}': 2,
    'breakwater_endpoint_breaker_state{upstream="video-downloader",route="GET /jobs/{id}",endpoint="http://b:1"}': 2,
    // The breaker of the upstream is half-open, since one of its endpoints is.
    'breakwater_breaker_state{upstream="video-downloader",route="*"}': 1,
    'breakwater_breaker_state{upstream="video-downloader",route="GET /jobs/{id}"}': 2,
  })
})

test('scrape: has the type and help of exactly the metrics in METRICS, beside the process metrics', async () => {
  const { body: text } = await createMetrics(ABOUT, () => EMPTY).scrape('')
  const announced = text.split('\n').filter((line) => /^# (HELP|TYPE) /.test(line) && !isProcess(line))
  const table = Object.values(METRICS).flatMap(({ name, type, help }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
  ])
  assert.deepEqual(announced.toSorted(), table.toSorted())
})

test('scrape: has build info and the process metrics', async () => {
  const { body: text } = await createMetrics(ABOUT, () => EMPTY).scrape('')
  assert.match(text, /^breakwater_build_info\{service="make-video",version="0\.1\.0",node="26\.\d+\.\d+"\} 1$/m)
  assert.match(text, /^breakwater_nodejs_eventloop_lag_p99_seconds \d/m)
  assert.match(text, /^breakwater_process_resident_memory_bytes \d/m)
})

test('scrape: fails when no snapshot can be taken', async () => {
  const metrics = createMetrics(ABOUT, () => {
    throw new Error('no state')
  })
  await assert.rejects(metrics.scrape(''), /no state/)
})

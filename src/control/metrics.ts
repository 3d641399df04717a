/** Counts what the data plane tells of itself, and shows it as Prometheus text (version 0.0.4) or OpenMetrics (1.0). */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Event, RequestEvent, RouteRef, Snapshot } from '../policy/events.ts'
import { forgetSeries } from './forget-series.ts'
import { type AnyRegistry, createGauges } from './gauges.ts'
import { METRICS } from './metric-table.ts'
import { countReloads } from './reload-report.ts'

export type Metrics = {
  /** Takes one event; neither throws nor waits. */
  record(event: Event): void
  /**
   * All series as text, gauges as of this moment.
   * @param accept what the asker reads (RFC 9110 section 12.5.1): OpenMetrics 1.0 with exemplars when it names that.
   */
  scrape(accept: string): Promise<{ readonly body: string; readonly contentType: string }>
}

/** From one millisecond to ten minutes: a cached answer and a rendered video share them. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** @param snapshot the data plane's state now; asked once a scrape, so that no gauge lags behind it. */
export function createMetrics(about: { service: string; version: string }, snapshot: () => Snapshot): Metrics {
  const registry: AnyRegistry = new Registry()
  // Exemplars can be kept for this one alone.
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  collectDefaultMetrics({ register: registry, prefix: 'breakwater_' })
  const fold = createFold(registry, () => new Set(snapshot().upstreams.map(({ name }) => name)))
  const show = createGauges(registry)
  new Gauge({ ...METRICS.buildInfo, registers: [registry] }).set({ ...about, node: process.versions.node }, 1)
  const write = async (accept: string) => {
    const isOpen = accept.includes('application/openmetrics-text')
    registry.setContentType(isOpen ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE)
    show(snapshot())
    const body = await registry.metrics()
    fold.forgetExemplars()
    return { body, contentType: registry.contentType }
  }
  // The registry has one content type at a time: scrapes take turns.
  let last: Promise<unknown> = Promise.resolve()
  return {
    record: fold.record,
    scrape: (accept) => {
      const scrape = last.then(() => write(accept))
      // Whoever asked is told of a failure; the next one's turn comes all the same.
      last = scrape.catch(() => undefined)
      return scrape
    },
  }
}

/** The series of one route with their labels already bound: recording an event builds neither strings nor objects. */
type RouteSeries = ReturnType<ReturnType<typeof createBinder>['to']>

/** @param present names of the upstreams that there are now. */
function createFold(
  registry: AnyRegistry,
  present: () => ReadonlySet<string>,
): { record: (event: Event) => void; forgetExemplars: () => void } {
  const registers = [registry]
  const bind = createBinder(registry)
  const bound = new WeakMap<RouteRef, RouteSeries>()
  let exemplified: Exemplified = new Map()
  const unrouted = new Counter({ ...METRICS.unrouted, registers })
  const transitions = new Counter({ ...METRICS.breakerTransitions, registers })
  const inputsRefused = new Counter({ ...METRICS.inputsRefused, registers })
  const nameResolutions = new Counter({ ...METRICS.nameResolutions, registers })
  const faults = new Counter({ ...METRICS.faults, registers })
  const spans = new Counter({ ...METRICS.spans, registers })
  const spanExports = new Counter({ ...METRICS.spanExports, registers })
  const storeCalls = new Counter({ ...METRICS.storeCalls, registers })
  const storeSeconds = new Histogram({ ...METRICS.storeSeconds, buckets: SECONDS, registers })
  const storeUp = new Gauge({ ...METRICS.storeUp, registers })
  const countReload = countReloads(registry)

  const fault = () => faults.inc()
  const seriesOf = (ref: RouteRef): RouteSeries => {
    let series = bound.get(ref)
    if (series === undefined) {
      series = bind.to(ref)
      bound.set(ref, series)
    }
    return series
  }

  const record = (event: Event): void => {
    switch (event.kind) {
      case 'request':
        if (event.ref === undefined) unrouted.inc({ reason: event.reason ?? 'none' })
        else countRequest(seriesOf(event.ref), event, exemplified)
        return
      case 'attempt': {
        const series = seriesOf(event.ref)
        series.attempts(event.reason ?? classOf(event.status)).inc()
        if (event.reason !== undefined && ATTEMPT_LIMITS.has(event.reason)) series.timeouts(event.reason).inc()
        series.attemptSeconds.observe(event.durationMs / 1000)
        return
      }
      case 'timeouts_computed': {
        const series = seriesOf(event.ref)
        series.computed('attempt').observe(event.attemptMs / 1000)
        series.computed('total').observe(event.totalMs / 1000)
        return
      }
      case 'resume':
        seriesOf(event.ref)
          .resumes(event.resumed ? 'resumed' : 'failed')
          .inc()
        return
      case 'job_seen':
        seriesOf(event.ref).jobsSeen(event.outcome).inc()
        return
      case 'shared':
        seriesOf(event.ref).shared(event.by).inc()
        return
      case 'hedge':
        seriesOf(event.ref).hedges(event.outcome).inc()
        return
      case 'name':
        nameResolutions.inc({ outcome: event.outcome })
        return
      case 'retry':
        seriesOf(event.ref).retries(event.cause).inc()
        return
      case 'retry_denied':
        seriesOf(event.ref).retriesDenied(event.why).inc()
        return
      case 'body_failed':
        seriesOf(event.ref).bodyFailures(event.end).inc()
        return
      case 'body_unkept':
        seriesOf(event.ref).bodiesUnkept(event.why).inc()
        return
      case 'stale_connection':
        seriesOf(event.ref).staleConnections.inc()
        return
      case 'breaker': {
        const { upstream, route = '*', from, to, cause = 'none' } = event
        transitions.inc({ upstream, route, from, to, cause })
        return
      }
      case 'input_refused':
        inputsRefused.inc({ input: event.input })
        return
      case 'store_call':
        storeCalls.inc({ operation: event.operation, outcome: event.isDown ? 'down' : 'done' })
        storeSeconds.observe({ operation: event.operation }, event.durationMs / 1000)
        return
      case 'store':
        storeUp.set(event.isUp ? 1 : 0)
        return
      case 'spans':
        spans.inc({ outcome: event.outcome }, event.count)
        return
      case 'span_export':
        spanExports.inc({ outcome: event.error === undefined ? 'done' : 'failed' })
        return
      case 'fault':
        faults.inc()
        return
      case 'reload':
        countReload(event)
        if (event.changes.removed.length > 0) forgetSeries([...bind.all, transitions], present()).catch(fault)
        return
      case 'config_warning':
      case 'breaker_mode':
      case 'listening':
      case 'closing':
      case 'draining':
      case 'drained':
        return
      default:
        event satisfies never
    }
  }
  return {
    record,
    forgetExemplars: () => {
      exemplified = new Map()
    },
  }
}

/** Limits of an attempt, and those of a whole request: each is counted where it ends something. */
const ATTEMPT_LIMITS: ReadonlySet<string> = new Set(['connect_timeout', 'attempt_timeout'])
const REQUEST_LIMITS: ReadonlySet<string> = new Set([
  'total_timeout',
  'idle_timeout',
  'queue_timeout',
  'client_deadline',
  'job_deadline',
  'client_stalled',
])

/** Bucket by bucket, whether its exemplar since the last scrape leads to a trace: one that does is enough. */
type Exemplified = Map<string, boolean>

function countRequest(series: RouteSeries, event: RequestEvent, exemplified: Exemplified): void {
  const headSent = event.firstByteMs !== undefined
  series
    .requests(classOf(headSent ? event.status : undefined))(event.reason ?? 'none')
    .inc()
  const seconds = event.totalMs / 1000
  const bucket = SECONDS.findIndex((bound) => seconds <= bound)
  const place = `${series.name} ${bucket}`
  const leadsToTrace = event.trace !== undefined
  const there = exemplified.get(place)
  if (there === true || (there === false && !leadsToTrace)) series.requestSeconds.observe(seconds)
  else {
    exemplified.set(place, leadsToTrace)
    series.observeWithExemplar(seconds, event)
  }
  if (event.reason !== undefined && REQUEST_LIMITS.has(event.reason)) series.timeouts(event.reason).inc()
  if (headSent) series.firstByteSeconds.observe(event.firstByteMs / 1000)
  if (event.bytesIn > 0) series.bytesIn.inc(event.bytesIn)
  if (event.bytesOut > 0) series.bytesOut.inc(event.bytesOut)
}

function createBinder(registry: AnyRegistry) {
  const registers = [registry]
  const requests = new Counter({ ...METRICS.requests, registers })
  const requestSeconds = new Histogram<'upstream' | 'route' | 'request_id' | 'trace_id'>({
    ...METRICS.requestSeconds,
    buckets: SECONDS,
    enableExemplars: true,
    registers,
  })
  const resumes = new Counter({ ...METRICS.resumes, registers })
  const jobsSeen = new Counter({ ...METRICS.jobsSeen, registers })
  const shared = new Counter({ ...METRICS.shared, registers })
  const hedges = new Counter({ ...METRICS.hedges, registers })
  const timeouts = new Counter({ ...METRICS.timeouts, registers })
  const computedSeconds = new Histogram({ ...METRICS.computedSeconds, buckets: SECONDS, registers })
  const firstByteSeconds = new Histogram({ ...METRICS.firstByteSeconds, buckets: SECONDS, registers })
  const bodyBytes = new Counter({ ...METRICS.bodyBytes, registers })
  const attempts = new Counter({ ...METRICS.attempts, registers })
  const attemptSeconds = new Histogram({ ...METRICS.attemptSeconds, buckets: SECONDS, registers })
  const retries = new Counter({ ...METRICS.retries, registers })
  const retriesDenied = new Counter({ ...METRICS.retriesDenied, registers })
  const bodyFailures = new Counter({ ...METRICS.bodyFailures, registers })
  const bodiesUnkept = new Counter({ ...METRICS.bodiesUnkept, registers })
  const staleConnections = new Counter({ ...METRICS.staleConnections, registers })

  const to = ({ upstream, route }: RouteRef) => ({
    requests: lazily((statusClass) =>
      lazily((reason) => requests.labels({ upstream, route, class: statusClass, reason })),
    ),
    name: `${upstream} ${route}`,
    requestSeconds: requestSeconds.labels({ upstream, route }),
    observeWithExemplar: (value: number, event: RequestEvent) =>
      requestSeconds.observe({ labels: { upstream, route }, value, exemplarLabels: exemplarOf(event) }),
    resumes: lazily((outcome) => resumes.labels({ upstream, route, outcome })),
    shared: lazily((by) => shared.labels({ upstream, route, by })),
    hedges: lazily((outcome) => hedges.labels({ upstream, route, outcome })),
    jobsSeen: lazily((outcome) => jobsSeen.labels({ upstream, route, outcome })),
    timeouts: lazily((kind) => timeouts.labels({ upstream, route, kind })),
    computed: lazily((timeout) => computedSeconds.labels({ upstream, route, timeout })),
    firstByteSeconds: firstByteSeconds.labels({ upstream, route }),
    bytesIn: bodyBytes.labels({ upstream, direction: 'in' }),
    bytesOut: bodyBytes.labels({ upstream, direction: 'out' }),
    attempts: lazily((outcome) => attempts.labels({ upstream, route, outcome })),
    attemptSeconds: attemptSeconds.labels({ upstream }),
    retries: lazily((cause) => retries.labels({ upstream, route, cause })),
    retriesDenied: lazily((why) => retriesDenied.labels({ upstream, route, why })),
    bodyFailures: lazily((end) => bodyFailures.labels({ upstream, route, end })),
    bodiesUnkept: lazily((why) => bodiesUnkept.labels({ upstream, route, why })),
    staleConnections: staleConnections.labels({ upstream }),
  })
  const ofRequests = [
    requests,
    requestSeconds,
    firstByteSeconds,
    bodyBytes,
    timeouts,
    computedSeconds,
    resumes,
    jobsSeen,
  ]
  const ofAttempts = [attempts, attemptSeconds, retries, retriesDenied, bodyFailures, bodiesUnkept, staleConnections]
  return { to, all: [...ofRequests, ...ofAttempts, shared, hedges] }
}

/** Names and values of an exemplar are 128 characters at most (OpenMetrics 1.0, section "Exemplars"). */
const exemplarOf = ({ id, trace }: RequestEvent) => ({
  request_id: id.slice(0, 78),
  ...(trace === undefined ? {} : { trace_id: trace.traceId }),
})

/** Statuses outside 100 to 599 count as 5xx, as RFC 9110 section 15 has clients treat them. */
function classOf(status: number | undefined): '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none' {
  if (status === undefined) return 'none'
  if (status < 100 || status >= 500) return '5xx'
  if (status < 200) return '1xx'
  if (status < 300) return '2xx'
  return status < 400 ? '3xx' : '4xx'
}

/** Makes the value of a key when it is first asked for, and keeps it. Only for keys of a closed set. */
function lazily<V>(make: (key: string) => V): (key: string) => V {
  const made = new Map<string, V>()
  return (key) => {
    let value = made.get(key)
    if (value === undefined) {
      value = make(key)
      made.set(key, value)
    }
    return value
  }
}

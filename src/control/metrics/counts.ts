/** Counts the events of the data plane. */

import { Counter, Gauge, Histogram } from 'prom-client'
import type { FaultCode } from '../../errors.ts'
import { type Event, FAULT_PLACES, type RequestEvent } from '../../events.ts'
import type { AnyRegistry } from './gauges.ts'
import { ATTEMPT_LIMITS, JOB_SECONDS, METRICS, REQUEST_LIMITS, SECONDS, type StatusClass } from './metric-table.ts'
import { countReloads } from '../log/reload-report.ts'
import { createRouteSeries, type RouteSeries } from './route-series.ts'

export type Counts = {
  /** Takes one event; neither throws nor waits. */
  record(event: Event): void
  /** Exemplars were shown: newer ones are wanted. */
  scraped(): void
}

/** @param present names of the present upstreams. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: it is mostly the switch below.
export function createCounts(registry: AnyRegistry, present: () => ReadonlySet<string>): Counts {
  const registers = [registry]
  const routes = createRouteSeries(registry)
  let scrapes = 0
  const unrouted = new Counter({ ...METRICS.unrouted, registers })
  const transitions = new Counter({ ...METRICS.breakerTransitions, registers })
  const jobs = new Counter({ ...METRICS.jobs, registers })
  const jobSeconds = new Histogram({ ...METRICS.jobSeconds, buckets: JOB_SECONDS, registers })
  const jobsUnlearned = new Counter({ ...METRICS.jobsUnlearned, registers })
  const inputsRefused = new Counter({ ...METRICS.inputsRefused, registers })
  const ignoredFields = new Counter({ ...METRICS.ignoredFields, registers })
  const nameResolutions = new Counter({ ...METRICS.nameResolutions, registers })
  const faults = new Counter({ ...METRICS.faults, registers })
  const turnedAway = new Counter({ ...METRICS.turnedAway, registers })
  const stalls = new Counter({ ...METRICS.stalls, registers })
  const stalledSeconds = new Counter({ ...METRICS.stalledSeconds, registers })
  // Starts at 0, so that the first fault is an increase.
  for (const where of FAULT_PLACES) faults.inc({ where }, 0)
  const incidents = new Counter({ ...METRICS.incidents, registers })
  const notifications = new Counter({ ...METRICS.notifications, registers })
  const setAside = new Counter({ ...METRICS.storesSetAside, registers })
  const clockJumps = new Counter({ ...METRICS.clockJumps, registers })
  const spans = new Counter({ ...METRICS.spans, registers })
  const spanExports = new Counter({ ...METRICS.spanExports, registers })
  const storeCalls = new Counter({ ...METRICS.storeCalls, registers })
  const storeSeconds = new Histogram({ ...METRICS.storeSeconds, buckets: SECONDS, registers })
  const storeUp = new Gauge({ ...METRICS.storeUp, registers })
  const countReload = countReloads(registry)

  const fault = () => faults.inc({ where: 'observer' })
  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: one switch over the kinds of events, a few lines a case; the compiler checks that no kind is missing.
  const record = (event: Event): void => {
    switch (event.kind) {
      case 'request':
        for (const field of event.ignored) ignoredFields.inc({ field })
        if (event.ref === undefined) unrouted.inc({ reason: event.reason ?? 'none' })
        else countRequest(routes.of(event.ref), event, scrapes)
        return
      case 'attempt': {
        const series = routes.of(event.ref)
        series.attempts(event.reason ?? classOf(event.status)).inc()
        if (isOneOf(ATTEMPT_LIMITS, event.reason)) series.timeouts(event.reason).inc()
        series.attemptSeconds.observe(event.durationMs / 1000)
        return
      }
      case 'timeouts_computed': {
        const series = routes.of(event.ref)
        series.computed('attempt').observe(event.attemptMs / 1000)
        series.computed('total').observe(event.totalMs / 1000)
        return
      }
      case 'resume':
        routes
          .of(event.ref)
          .resumes(event.resumed ? 'resumed' : 'failed')
          .inc()
        return
      case 'job_seen':
        routes.of(event.ref).jobsSeen(event.outcome).inc()
        return
      case 'job_ended': {
        const { outcome, durationMs } = event
        const { upstream, route } = event.ref
        jobs.inc({ upstream, route, outcome })
        jobSeconds.observe({ upstream, route, outcome }, durationMs / 1000)
        return
      }
      case 'job_unlearned':
        jobsUnlearned.inc({ upstream: event.ref.upstream, route: event.ref.route, why: event.why })
        return
      case 'shared':
        routes.of(event.ref).shared(event.by).inc()
        return
      case 'hedge':
        routes.of(event.ref).hedges(event.outcome).inc()
        return
      case 'name':
        nameResolutions.inc({ outcome: event.outcome })
        return
      case 'retry':
        routes.of(event.ref).retries(event.cause).inc()
        return
      case 'retry_denied':
        routes.of(event.ref).retriesDenied(event.why).inc()
        return
      case 'body_failed':
        routes.of(event.ref).bodyFailures(event.end).inc()
        return
      case 'body_unkept':
        routes.of(event.ref).bodiesUnkept(event.why).inc()
        return
      case 'stale_connection':
        routes.of(event.ref).staleConnections.inc()
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
      case 'turned_away':
        turnedAway.inc({ limit: event.limit })
        return
      case 'stalled':
        stalls.inc()
        stalledSeconds.inc(event.ms / 1000)
        return
      case 'fault':
        faults.inc({ where: event.where })
        return
      case 'incident':
        if (event.phase === 'opened') incidents.inc({ about: event.about })
        return
      case 'notification':
        notifications.inc({ outcome: event.outcome })
        return
      case 'store_set_aside':
        setAside.inc()
        return
      case 'clock_jump':
        clockJumps.inc()
        return
      case 'reload':
        countReload(event)
        if (event.changes.removed.length > 0)
          forgetSeries([...routes.all, transitions, jobs, jobSeconds, jobsUnlearned], present()).catch(fault)
        return
      case 'job_created':
      case 'job_reported':
      case 'hold_outlasts_client':
      case 'config_warning':
      case 'disk':
      case 'secret_file':
      case 'not_http':
      case 'few_descriptors':
      case 'store_evicts':
      case 'breaker_mode':
      case 'breaker_window_restarted':
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
    scraped: () => {
      scrapes += 1
    },
  }
}

function countRequest(series: RouteSeries, event: RequestEvent, scrapes: number): void {
  const headSent = event.firstByteMs !== undefined
  series
    .requests(classOf(headSent ? event.status : undefined))(event.reason ?? 'none')
    .inc()
  const seconds = event.totalMs / 1000
  if (series.exemplars.takes(seconds, event.trace !== undefined, scrapes)) series.observeWithExemplar(seconds, event)
  else series.requestSeconds.observe(seconds)
  if (isOneOf(REQUEST_LIMITS, event.reason)) series.timeouts(event.reason).inc()
  if (headSent) series.firstByteSeconds.observe(event.firstByteMs / 1000)
  if (event.bytesIn > 0) series.bytesIn.inc(event.bytesIn)
  if (event.bytesOut > 0) series.bytesOut.inc(event.bytesOut)
}

const isOneOf = (limits: readonly FaultCode[], reason: FaultCode | undefined): reason is FaultCode =>
  reason !== undefined && limits.includes(reason)

/** Statuses outside 100 to 599 count as 5xx, as clients treat them (RFC 9110 section 15). */
function classOf(status: number | undefined): StatusClass | 'none' {
  if (status === undefined) return 'none'
  if (status < 100 || status >= 500) return '5xx'
  if (status < 200) return '1xx'
  if (status < 300) return '2xx'
  return status < 400 ? '3xx' : '4xx'
}

type Series = Counter | Histogram

/**
 * Removes the series of removed upstreams, so that changing names do not add up. A request of theirs that ends later counts
 * again; its series goes the next time.
 */
async function forgetSeries(all: readonly Series[], present: ReadonlySet<string>): Promise<void> {
  for (const series of all) {
    const { values } = await series.get()
    for (const { labels } of values) {
      const { le: _, ...own }: Readonly<Record<string, string | number | undefined>> = labels
      if (own.upstream !== undefined && !present.has(String(own.upstream))) series.remove(own)
    }
  }
}

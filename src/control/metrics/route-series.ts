import { Counter, Histogram } from 'prom-client'
import type { RequestEvent, RouteRef } from '../../events.ts'
import { Exemplars, exemplarOf } from './exemplars.ts'
import type { AnyRegistry } from './gauges.ts'
import { METRICS, SECONDS } from './metric-table.ts'

/** Series of one route with bound labels: recording an event makes no string and no object. */
export type RouteSeries = ReturnType<ReturnType<typeof createRouteSeries>['of']>

/** Binds the labels of a route at its first event. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table of series, one line each.
export function createRouteSeries(registry: AnyRegistry) {
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

  const bind = ({ upstream, route }: RouteRef) => ({
    requests: lazily((statusClass) =>
      lazily((reason) => requests.labels({ upstream, route, class: statusClass, reason })),
    ),
    exemplars: new Exemplars(SECONDS),
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
  const bound = new WeakMap<RouteRef, ReturnType<typeof bind>>()
  const of = (ref: RouteRef) => {
    let series = bound.get(ref)
    if (series === undefined) {
      series = bind(ref)
      bound.set(ref, series)
    }
    return series
  }
  return { of, all: [...ofRequests, ...ofAttempts, shared, hedges] }
}

/** Makes and keeps the value of a key at its first use. Only for keys of a closed set. */
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

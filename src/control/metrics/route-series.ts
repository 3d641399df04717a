import type { RouteRef } from '../../events.ts'
import { Exemplars } from './exemplars.ts'
import { METRICS, SECONDS } from './metric-table.ts'
import { Counter, Histogram, type Registry } from './series.ts'

/** Series of one route with bound labels: recording an event makes no string and no object. */
export type RouteSeries = ReturnType<ReturnType<typeof createRouteSeries>['of']>

/** Binds the labels of a route at its first event. */
export function createRouteSeries(registry: Registry) {
  const requests = new Counter(METRICS.requests, registry)
  const requestSeconds = new Histogram(METRICS.requestSeconds, SECONDS, registry)
  const resumes = new Counter(METRICS.resumes, registry)
  const jobsSeen = new Counter(METRICS.jobsSeen, registry)
  const shared = new Counter(METRICS.shared, registry)
  const hedges = new Counter(METRICS.hedges, registry)
  const timeouts = new Counter(METRICS.timeouts, registry)
  const computedSeconds = new Histogram(METRICS.computedSeconds, SECONDS, registry)
  const firstByteSeconds = new Histogram(METRICS.firstByteSeconds, SECONDS, registry)
  const bodyBytes = new Counter(METRICS.bodyBytes, registry)
  const attempts = new Counter(METRICS.attempts, registry)
  const attemptSeconds = new Histogram(METRICS.attemptSeconds, SECONDS, registry)
  const retries = new Counter(METRICS.retries, registry)
  const retriesDenied = new Counter(METRICS.retriesDenied, registry)
  const bodyFailures = new Counter(METRICS.bodyFailures, registry)
  const bodiesUnkept = new Counter(METRICS.bodiesUnkept, registry)
  const staleConnections = new Counter(METRICS.staleConnections, registry)

  const bind = ({ upstream, route }: RouteRef) => ({
    requests: lazily((statusClass) =>
      lazily((reason) => requests.labels({ upstream, route, class: statusClass, reason })),
    ),
    exemplars: new Exemplars(SECONDS.length + 1),
    requestSeconds: requestSeconds.labels({ upstream, route }),
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

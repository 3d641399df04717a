import type { Event, RequestEvent, RouteRef, Snapshot, UpstreamSnapshot } from '../../src/events.ts'

export const SEARCH: RouteRef = { upstream: 'youtube-search', route: 'POST /search/*' }
export const JOBS: RouteRef = { upstream: 'youtube-search', route: 'GET /jobs/{id}' }

export const requestEvent = (fields: Partial<RequestEvent> = {}): RequestEvent => ({
  kind: 'request',
  ref: JOBS,
  id: '6f1c3b52-7d0e-4c55-9f0e-2f8a55d1a001',
  method: 'GET',
  path: '/jobs/42',
  status: 200,
  reason: undefined,
  limit: undefined,
  ignored: [],
  attempts: 1,
  queueMs: 0,
  backoffMs: 0,
  connectMs: 0,
  breakerMs: 0,
  retryAfterMs: 0,
  firstByteMs: 12,
  totalMs: 40,
  bytesIn: 0,
  bytesOut: 0,
  startedAt: 0,
  history: [],
  retryDenied: undefined,
  job: undefined,
  shared: false,
  trace: undefined,
  ...fields,
})

type AttemptEvent = Extract<Event, { kind: 'attempt' }>

export const attemptEvent = (fields: Partial<AttemptEvent> = {}): AttemptEvent => ({
  kind: 'attempt',
  ref: JOBS,
  status: 200,
  reason: undefined,
  durationMs: 12,
  connectMs: undefined,
  ...fields,
})

type BreakerEvent = Extract<Event, { kind: 'breaker' }>

export const breakerEvent = (fields: Partial<BreakerEvent> = {}): BreakerEvent => ({
  kind: 'breaker',
  upstream: 'youtube-search',
  route: undefined,
  endpoint: undefined,
  from: 'closed',
  to: 'open',
  cause: 'consecutive',
  failure: '503',
  openMs: 60_000,
  trace: undefined,
  ...fields,
})

export const upstreamSnapshot = (fields: Partial<UpstreamSnapshot> = {}): UpstreamSnapshot => ({
  name: 'youtube-search',
  endpoints: [{ origin: 'http://localhost:18006', inFlight: 0, isAvailable: true }],
  inFlight: 0,
  queued: 0,
  limit: 64,
  slowdown: undefined,
  impatient: [],
  held: 0,
  connections: 0,
  retryBudget: 30,
  pauses: [],
  rate: undefined,
  breakers: [],
  ...fields,
})

export const EMPTY: Snapshot = { upstreams: [], limits: [], bodies: { memory: 0, disk: 0 }, listeners: [] }

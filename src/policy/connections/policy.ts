import { writtenMs } from '../../config/kinds/units.ts'
import { breakerAt, type BreakerState } from '../breaker/breakers.ts'
import { refusalOf } from '../breaker/breaker.ts'
import type { ConcurrencySettings } from '../concurrency/settings.ts'
import type { Deps } from '../../deps.ts'
import type { EndpointOwner, EndpointPlace, Place, Standing } from '../policy.ts'
import type { ExplainScope, UpstreamScope } from '../scope.ts'
import { freshSlots, letIn, limit, type Slots } from '../shared/limit.ts'
import { CONNECTIONS, type ConnectionSettings } from './settings.ts'

type State = { readonly connections: Slots }
type Owner = EndpointOwner<ConnectionSettings & ConcurrencySettings>

/** Largest number of connections to each endpoint. */
const mostOf = ({ connections, concurrency }: ConnectionSettings & ConcurrencySettings): number =>
  connections.max === 'concurrency' ? concurrency.max : connections.max

/** Time in ms after which servers such as uvicorn and Node close an idle connection. */
const USUAL_KEEP_ALIVE_MS = 5_000

const KEYS = { max: 'connections.max', queue: 'connections.max', queueTimeout: 'concurrency.queueTimeout' }

const isHttps = (url: string) => url.startsWith('https:')

export const connectionsPolicy = {
  name: 'connections',
  settings: CONNECTIONS,
  state: {
    endpoint: {
      connections: {
        prepare: ({ settings }: Owner, known: Slots | undefined) => known ?? freshSlots(mostOf(settings)),
        activate: (slots: Slots, { settings }: Owner, _: Slots | undefined, { clock }: Deps) => {
          slots.limit = mostOf(settings)
          letIn(slots, clock.now())
        },
      },
    },
  },
  traits: ({ upstream: { http2 } }: Place<unknown, ConnectionSettings>) => ({ mayBeRefused: http2 }),
  /**
   * An attempt waits for a connection as long as an exchange waits for its slot. The concurrency limit bounds how many wait.
   */
  endpointGate: (
    place: Place<BreakerState['route'], ConcurrencySettings, BreakerState['state'], State>,
    endpoint: EndpointPlace<State>,
  ) => {
    const { max, queueTimeoutMs } = place.upstream.concurrency
    const breaker = breakerAt(place, endpoint.origin)
    const refusal = () => refusalOf([breaker], place.deps)
    return limit({ keys: KEYS, queue: max, queueTimeoutMs }, endpoint.state.connections, refusal, place.deps)
  },
  snapshot: ({ endpoints }: Standing<unknown, unknown, State>) => ({
    queued: endpoints.reduce((sum, { state }) => sum + state.connections.waiting.length, 0),
  }),
  explain: ({ upstream, part }: ExplainScope<unknown, ConnectionSettings & ConcurrencySettings>) => {
    const { connections, http2, urls } = upstream
    const each = urls.length > 1 ? ' to each endpoint' : ''
    return [
      part('connections.max', `${mostOf(upstream)} connections${each}`),
      part('connections.idle', `closed after ${writtenMs(connections.idleMs)} without use`),
      ...(http2 && urls.some(isHttps)
        ? [part('http2', 'HTTP/2 where the upstream offers it: calls share connections')]
        : []),
    ]
  },
  warnings: {
    upstream: {
      'idle-over-keep-alive': ({ upstream: { connections } }: UpstreamScope<ConnectionSettings>) =>
        connections.idleMs < USUAL_KEEP_ALIVE_MS
          ? undefined
          : {
              at: ['connections.idle'] as const,
              reason: `idle connections are kept for ${writtenMs(connections.idleMs)}; uvicorn and Node close theirs after 5s, just when one is used again, and a POST that meets that is lost`,
              fix: "idle: 4s, or a second less than the upstream's own keep-alive",
            },
    },
  },
}

/** Routes that no request comes to, settings that do nothing on them, and addresses that lead nowhere or back. */

import { isLoopback } from '../../net/loopback.ts'
import { writtenMs } from '../kinds/units.ts'
import { isRepeatable, type RouteScope, type Rules, type UpstreamScope } from './rule.ts'

const ANY_ADDRESS = new Set(['0.0.0.0', '::'])
/** What uvicorn and Node close idle connections after, in ms. */
const USUAL_KEEP_ALIVE_MS = 5_000

export const ROUTING: Rules<RouteScope> = {
  'route-never-matches': ({ upstream, match }) => {
    const above = match === undefined ? undefined : coveringRoute(upstream, match)
    if (above === undefined) return undefined
    return {
      at: ['match'],
      reason: `the first route that matches wins, and ${above} stands above and takes all of these requests`,
      fix: `this route above ${above}`,
    }
  },

  'only-for-get': ({ route: { hold, resume }, match }) => {
    const [method = '*'] = match?.split(' ') ?? []
    if ((hold === false && !resume) || method === 'GET' || method === '*') return undefined
    return {
      at: hold === false ? ['resume'] : ['hold'],
      reason: `${hold === false ? 'resume' : 'hold'} is for GET, and this route is for ${method}: it does nothing here`,
      fix: 'a route for GET, or without it',
    }
  },

  'hedge-does-nothing': (scope) =>
    scope.route.hedge === false || scope.match === undefined || isRepeatable(scope) !== false
      ? undefined
      : {
          at: ['hedge'],
          reason: 'only what may be repeated is sent twice, and these requests may not be: hedge does nothing here',
          fix: 'idempotent: true where the upstream answers a repetition with the same result; else hedge: false',
        },

  'hedge-too-late': ({ route: { hedge }, lengths }) => {
    const limit = Math.min(lengths.attempt, lengths.total)
    if (hedge === false || hedge.after === 'p95' || hedge.after < limit) return undefined
    return {
      at: ['hedge', 'timeout.attempt'],
      reason: `an attempt is given up after ${writtenMs(limit)}, and another would be made beside it after ${writtenMs(hedge.after)}: it never is`,
      fix: `an after well below ${writtenMs(limit)}, or p95`,
    }
  },

  'collapse-loses-requests': (scope) =>
    scope.route.collapse === false || scope.match === undefined || isRepeatable(scope) !== false
      ? undefined
      : {
          at: ['collapse'],
          reason: `two ${scope.match} at the same time that are alike become one call: where each is to do something, one of them is not done`,
          fix: 'idempotent: true where a repetition has the same result, which is what collapse is for; else collapse: false',
        },
}

/** The first routes with open segments are enough to look at: nobody writes hundreds of them. */
const LOOKED_AT = 50

function coveringRoute({ routes }: UpstreamScope['upstream'], wanted: string): string | undefined {
  let looked = 0
  for (const { match } of routes) {
    if (match === wanted || looked > LOOKED_AT) return undefined
    if (!/[*{]/.test(match)) continue
    looked += 1
    if (covers(match, wanted)) return match
  }
  return undefined
}

/** Whether the earlier of two patterns matches whatever the later one does. */
function covers(earlier: string, later: string): boolean {
  const [method, path = ''] = earlier.split(' ')
  const [wanted, wantedPath = ''] = later.split(' ')
  if (method !== '*' && method !== wanted && !(method === 'GET' && wanted === 'HEAD')) return false
  const segments = path.split('/')
  const below = wantedPath.split('/')
  const isRest = segments.at(-1) === '*'
  if (isRest ? below.length < segments.length : below.length !== segments.length) return false
  const isOpen = (segment: string) => segment === '*' || segment.startsWith('{')
  return segments.every((segment, i) => {
    const other = below[i] ?? ''
    if (isRest && i === segments.length - 1) return other !== '' || below.length > segments.length
    // A last * stands for more than one segment.
    if (other === '*' && i === below.length - 1) return false
    return isOpen(segment) ? other !== '' : segment === other
  })
}

export const REACHING: Rules<UpstreamScope> = {
  'idle-over-keep-alive': ({ upstream: { connections } }) =>
    connections.idle < USUAL_KEEP_ALIVE_MS
      ? undefined
      : {
          at: ['connections.idle'],
          reason: `idle connections are kept for ${writtenMs(connections.idle)}; uvicorn and Node close theirs after 5s, just when one is used again, and a POST that meets that is lost`,
          fix: "idle: 4s, or a second less than the upstream's own keep-alive",
        },

  'never-reached': ({ config, upstream }) =>
    config.listen !== undefined || upstream.listen !== undefined
      ? undefined
      : {
          at: ['listen'],
          reason: 'the shared listener is off, and this upstream has none of its own: no request can come to it',
          fix: 'listen: 127.0.0.1:<port> here, or the shared listener on',
        },

  'calls-itself': ({ config, upstream }) => {
    const own = [config.listen, ...config.upstreams.map(({ listen }) => listen)].filter((one) => one !== undefined)
    const back = upstream.urls.find((url) => {
      const { hostname, port } = new URL(url)
      const host = hostname.replace(/^\[|\]$/g, '')
      const isHere = (listens: string) => isLoopback(host) && (isLoopback(listens) || ANY_ADDRESS.has(listens))
      return own.some((one) => one.port !== 0 && String(one.port) === port && (one.host === host || isHere(one.host)))
    })
    if (back === undefined) return undefined
    return {
      at: upstream.urls.length > 1 ? ['urls'] : ['url'],
      reason: `${back} is a listener of this sidecar: requests come back to it, and retries multiply each time round`,
      fix: "the upstream's own address; where one variable of the environment names both, give the sidecar another",
    }
  },

  'health-never-rests': ({ upstream: { health } }) =>
    health.path === undefined || health.interval > health.timeout
      ? undefined
      : {
          at: ['health.interval', 'health.timeout'],
          reason: `the health path is asked every ${writtenMs(health.interval)} and may take ${writtenMs(health.timeout)}: a slow upstream is never left alone`,
          fix: `an interval of several times the timeout`,
        },
}

/** Routes that no request reaches, and addresses that lead nowhere or back. */

import { hostname, isLoopback } from '../../net/loopback.ts'
import { compileMatch, matchParts } from '../../job/match.ts'
import { writtenMs } from '../kinds/units.ts'
import type { Rules } from '../../policy/scope.ts'
import type { FileRouteScope, FileUpstreamScope } from './rule.ts'

const ANY_ADDRESS = new Set(['0.0.0.0', '::'])

export const ROUTING: Rules<FileRouteScope> = {
  'name-taken-literally': ({ match }) => {
    const segments = match === undefined ? [] : matchParts(match).path.split('/')
    const found = segments.map((segment) => NAME_ELSEWHERE.exec(segment)).find((one) => one !== null)
    if (!found) return undefined
    const [segment, ...names] = found
    return {
      at: ['match'],
      reason: `${segment} is plain text here: only a path with these very characters matches`,
      fix: `{${names.find((name) => name !== undefined)}}`,
    }
  },

  'upgrade-past-the-policies': ({ route }) => {
    const found = route.upgrades.find((protocol) => CARRIES_REQUESTS.test(protocol))
    if (found === undefined) return undefined
    return {
      at: ['upgrades'],
      reason: `a client that switches to ${found} sends its requests through the tunnel, past every route, limit and breaker, and past what the sidecar removes from them`,
      fix: `a list without ${found}: a request that offers it is then served as a plain one`,
    }
  },

  'route-never-matches': ({ upstream, match }) => {
    const above = match === undefined ? undefined : coveringRoute(upstream, match)
    if (above === undefined) return undefined
    return {
      at: ['match'],
      reason: `the first route that matches applies, and ${above} stands above this one and matches all its requests`,
      fix: `this route above ${above}`,
    }
  },
}

/** A segment as other tools write a name: `:id`, `$id`, `<id>`, `[id]`. `$export` is an operation of FHIR, `$count` one of OData. */
const NAME_ELSEWHERE = /^(?::(\w+)|\$(\w*id|name|key|slug)|<(?:\w+:)?(\w+)>|\[(\w+)\])$/i

/** Largest number of earlier routes that are compared. Nobody writes hundreds of open ones. */
const LOOKED_AT = 50

function coveringRoute({ routes }: FileUpstreamScope['upstream'], wanted: string): string | undefined {
  const isNarrow = isNarrowed(wanted)
  let looked = 0
  for (const { match } of routes) {
    if (match === wanted || looked > LOOKED_AT) return undefined
    if (!isNarrow && !/[*{]/.test(match)) continue
    looked += 1
    if (covers(match, wanted)) return match
  }
  return undefined
}

/** Whether a match asks for a query or for fields. */
const isNarrowed = (match: string) => /[?]| .* /.test(match)

/** Whether the earlier pattern matches everything that the later one matches. */
function covers(earlier: string, later: string): boolean {
  const first = matchParts(earlier)
  const second = matchParts(later)
  const isMethod = first.method === '*' || first.method === second.method
  if (!isMethod && !(first.method === 'GET' && second.method === 'HEAD')) return false
  const isAskedBy = (parts: readonly Named[], others: readonly Named[]) =>
    parts.every(({ name, value }) => others.some((other) => other.name === name && isSame(other.value, value)))
  if (!isAskedBy(first.query, second.query) || !isAskedBy(first.headers, second.headers)) return false
  return coversPath(first.path.split('/'), second.path.split('/'))
}

type Named = { readonly name: string; readonly value: string }

const NAME = /\{\w+\}/

/** Whether two patterns are the same but for their names. */
const isSame = (one: string, other: string) => one.replace(NAME, '{}') === other.replace(NAME, '{}')

function coversPath(segments: readonly string[], below: readonly string[]): boolean {
  const isRest = segments.at(-1) === '*'
  if (isRest ? below.length < segments.length : below.length !== segments.length) return false
  return segments.every((segment, i) => {
    const other = below[i] ?? ''
    if (isRest && i === segments.length - 1) return other !== '' || below.length > segments.length
    // A last * stands for more than one segment.
    if (other === '*' && i === below.length - 1) return false
    if (segment === '*' || /^\{\w+\}$/.test(segment)) return other !== ''
    if (NAME.test(segment) && !/[*{]/.test(other)) return compileMatch(`* /${segment}`)('', `/${other}`, '', [])
    return isSame(segment, other)
  })
}

/** Protocols in which further requests travel. */
const CARRIES_REQUESTS = /^(?:h2c?|tls|https?)(?:\/|$)/i

export const REACHING: Rules<FileUpstreamScope> = {
  'never-reached': ({ config, upstream }) =>
    config.listen !== undefined || upstream.listen !== undefined
      ? undefined
      : {
          at: ['listen'],
          reason: 'the shared listener is off, and this upstream has no listener of its own: no request can reach it',
          fix: 'listen: 127.0.0.1:<port> here, or the shared listener on',
        },

  'calls-itself': ({ config, upstream }) => {
    const own = [config.listen, ...config.upstreams.map(({ listen }) => listen)].filter((one) => one !== undefined)
    const back = upstream.urls.find((url) => {
      const { host: authority, port } = new URL(url)
      const host = hostname(authority)
      const isHere = (listens: string) => isLoopback(host) && (isLoopback(listens) || ANY_ADDRESS.has(listens))
      return own.some((one) => one.port !== 0 && String(one.port) === port && (one.host === host || isHere(one.host)))
    })
    if (back === undefined) return undefined
    return {
      at: upstream.urls.length > 1 ? ['urls'] : ['url'],
      reason: `${back} is a listener of this sidecar: requests come back to it, and retries multiply each time`,
      fix: "the upstream's own address; when one environment variable holds both addresses, give the sidecar another variable",
    }
  },

  'health-never-rests': ({ upstream: { health } }) =>
    health.path === undefined || health.intervalMs > health.timeoutMs
      ? undefined
      : {
          at: ['health.interval', 'health.timeout'],
          reason: `a health check starts every ${writtenMs(health.intervalMs)} and may take ${writtenMs(health.timeoutMs)}: on a slow upstream one check follows another without a pause`,
          fix: `an interval of several times the timeout`,
        },
}

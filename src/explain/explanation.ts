/** Explains what the sidecar would do with a request, with the lines of the settings. Sends nothing. */

import type { Origins } from '../config/file/origins.ts'
import { type Config, unmatchedRoute, type UpstreamConfig } from '../config/schema.ts'
import type { Path } from '../config/file/source.ts'
import type { RouteValues } from '../config/upstream.ts'
import type { RawHeaders } from '../net/fields.ts'
import { accept } from '../job/inputs.ts'
import { compileMatch, matchParts } from '../job/match.ts'
import { type Limits, limitsOf } from '../policy/deadline/limits.ts'
import { undeclaredKey } from '../policy/paths/group.ts'
import { POLICIES, type ServiceSettings } from '../policy/policies.ts'
import { type Retries, retriesOf } from '../policy/retry/starts.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'
import { boundsOf, type Bounds } from './bounds.ts'
import { fieldParts } from './fields.ts'
import { type Refusal, refusalsOf } from './refusals.ts'
import { wireParts } from './wire.ts'

/** Settings of one policy, and what they do. */
type Policy = { readonly name: string; readonly parts: readonly Part[] }

type Scope = ExplainScope<RouteValues, UpstreamConfig, ServiceSettings>

export type Question = {
  /** undefined when the path's first segment names it, as on the shared listener. */
  readonly upstream: string | undefined
  readonly method: string
  /** With its query. */
  readonly path: string
  /** Whether it is known to come to the shared listener, where a path begins with an upstream. */
  readonly isShared?: boolean
  /** Values of inputs by name. Others come from the query, then from the defaults. */
  readonly inputs: Readonly<Record<string, string>>
  /** Fields of the request, for routes that match by them. */
  readonly headers?: RawHeaders
}

export type Explanation = {
  readonly file: string
  readonly request: { readonly method: string; readonly path: string }
  readonly upstream: { readonly name: string; readonly urls: readonly string[]; readonly line: number | null }
  readonly route: {
    /** null when it matches no route: the upstream's own settings apply. */
    readonly match: string | null
    readonly line: number | null
    readonly why: string
    /** Earlier routes that do not match. */
    readonly passed: readonly { readonly match: string; readonly line: number | null; readonly why: string }[]
    /** Paths whose calls count as alike: they share a Retry-After. */
    readonly alike: string
  }
  readonly inputs: readonly { readonly name: string; readonly value: number | string; readonly from: string }[]
  readonly timeouts: Limits
  readonly retries: Retries
  /** Answers that the sidecar may give in place of the upstream's, by status. */
  readonly refusals: readonly Refusal[]
  /** In the order in which a request meets them. */
  readonly policies: readonly Policy[]
  /** Header fields that are added or changed. */
  readonly fields: readonly Part[]
  /** Bounds of messages and connections, upgrades, TLS. */
  readonly wire: readonly Part[]
  readonly bounds: Bounds
}

/** A question without an answer; the message says why. */
export class Unanswerable extends Error {}

/** @throws Unanswerable for an unknown upstream, a wrong path, or an input that is not acceptable. */
export function explain(config: Config, origins: Origins, question: Question): Explanation {
  const { upstream, path } = destinationOf(config, question)
  const [plain = '', query = ''] = path.split('?', 2)
  const { method } = question
  const at = upstream.routes.findIndex(({ match }) => compileMatch(match)(method, plain, path, question.headers ?? []))
  const route = upstream.routes[at]
  const base: Path = ['upstreams', upstream.name]
  const lineOf = (...keys: Path) => origins.of([...base, ...keys])?.line ?? null
  const given = inputsOf(config, question.inputs, query)
  const scope: Scope = {
    service: config,
    upstream,
    route: route ?? unmatchedRoute(upstream),
    match: route?.match,
    method,
    inputs: Object.fromEntries(given.map(({ name, value }) => [name, value])),
    timeouts: config.timeouts,
    part: partOf(origins, route === undefined ? base : [...base, 'routes', at]),
  }
  const timeouts = limitsOf(scope)
  const passed = upstream.routes.slice(0, at < 0 ? undefined : at)
  return {
    file: origins.file,
    request: { method, path },
    upstream: { name: upstream.name, urls: upstream.urls, line: lineOf() },
    route: {
      match: route?.match ?? null,
      line: route === undefined ? lineOf() : lineOf('routes', at, 'match'),
      why: route === undefined ? whyNone(upstream) : 'the first route that matches',
      passed: passed.map(({ match }, i) => ({
        match,
        line: lineOf('routes', i, 'match'),
        why: whyNot(match, method, plain, path),
      })),
      alike: route === undefined ? undeclaredKey(method, plain) : route.match,
    },
    inputs: given,
    timeouts,
    retries: retriesOf(scope),
    refusals: refusalsOf(scope, timeouts, partOf(origins, [])),
    policies: POLICIES.map(({ name, explain: tell }) => ({ name, parts: tell?.(scope) ?? [] })).filter(
      ({ parts }) => parts.length > 0,
    ),
    fields: fieldParts(scope),
    wire: wireParts(scope, config, partOf(origins, [])),
    bounds: boundsOf(scope, timeouts),
  }
}

const partOf =
  (origins: Origins, scope: Path) =>
  (setting: string, says: string): Part => {
    const path = [...scope, ...setting.split('.')]
    const origin = origins.of(path)
    return { says, setting: (origin?.path ?? path).map(String).join('.'), line: origin?.line ?? null }
  }

export const namesOf = ({ upstreams }: Config) => upstreams.map(({ name }) => name).join(', ')

/** The upstream, and the path as it comes there. */
export function destinationOf(config: Config, { upstream, path }: Question) {
  const { upstreams } = config
  if (!path.startsWith('/')) throw new Unanswerable(`a path begins with /, and ${path} does not`)
  const names = namesOf(config)
  const named = upstreams.find(({ name }) => name === (upstream ?? path.split(/[/?]/)[1]))
  if (upstream !== undefined) {
    if (named === undefined) throw new Unanswerable(`there is no upstream ${upstream}; there are ${names}`)
    return { upstream: named, path }
  }
  const rest = named === undefined ? path : path.slice(named.name.length + 1)
  if (named !== undefined) return { upstream: named, path: rest.startsWith('/') ? rest : `/${rest}` }
  const [only, ...others] = upstreams
  if (only === undefined || others.length > 0)
    throw new Unanswerable(
      `name the upstream, or begin the path with it: ${names}. The shared listener answers ${path} with 404 unknown_upstream`,
    )
  return { upstream: only, path }
}

/** Headers, bodies and job records are unknown here: their inputs are given by name. */
function inputsOf({ job }: Config, given: Question['inputs'], query: string): Explanation['inputs'] {
  const unknown = Object.keys(given).find((name) => !job.inputs.some((rule) => rule.name === name))
  if (unknown !== undefined) throw new Unanswerable(`there is no input ${unknown} in job.inputs`)
  const asked = new URLSearchParams(query)
  return job.inputs.map((rule) => {
    const { name, query: parameter, byDefault } = rule
    if (given[name] !== undefined) {
      const value = accept(rule, given[name])
      if (value === undefined) throw new Unanswerable(`${given[name]} is no value for ${name}`)
      return { name, value, from: 'told' }
    }
    const value = parameter === undefined ? undefined : accept(rule, asked.get(parameter) ?? undefined)
    return value === undefined
      ? { name, value: byDefault, from: 'default' }
      : { name, value, from: `the query's ${parameter}` }
  })
}

const whyNone = ({ routes }: UpstreamConfig) =>
  routes.length === 0
    ? 'the upstream has no routes: its own settings hold'
    : 'no route matches: the settings of the upstream hold'

function whyNot(match: string, method: string, plain: string, target: string): string {
  const { method: wanted, path, query, headers } = matchParts(match)
  const isMethod = wanted === '*' || wanted === method || (wanted === 'GET' && method === 'HEAD')
  if (!isMethod) return `another method than ${method}`
  const isPath = compileMatch(`* ${path}`)(method, plain, plain, [])
  if (!isPath || query.length + headers.length === 0) return 'another path'
  const asked = query.map(({ name, value }) => `${name}=${value}`).join('&')
  const isQuery = query.length === 0 || compileMatch(`* ${path}?${asked}`)(method, plain, target, [])
  if (!isQuery) return `its query has no ${asked}`
  return `its fields are not ${headers.map(({ name, value }) => `${name}: ${value}`).join(', ')}`
}

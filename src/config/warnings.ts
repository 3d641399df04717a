/** Warnings of `check`: rules over the resolved configuration, each reported at its setting. */

import { type Excerpt, excerptAt, shown } from './file/excerpt.ts'
import type { Level, Origin, Origins } from './file/origins.ts'
import { type Config, unmatchedRoute, type UpstreamConfig } from './schema.ts'
import type { Path } from './file/source.ts'
import { POLICIES } from '../policy/policies.ts'
import { lengthsOf } from '../policy/deadline/timeouts.ts'
import type { Finding } from '../policy/scope.ts'
import { FIELD_RULES } from './warnings/fields.ts'
import { JOB_RULES } from './warnings/jobs.ts'
import { REACHING, ROUTING } from './warnings/routing.ts'
import {
  type DiskBytes,
  defaultInputs,
  type FileRouteScope,
  type FileUpstreamScope,
  type NamedRules,
} from './warnings/rule.ts'
import { COMPUTED, SERVICE } from './warnings/service.ts'
import { TLS_RULES } from './warnings/tls.ts'

export type ConfigWarning = Excerpt & {
  /** Stable name, for scripts and `--allow`. */
  readonly rule: string
  readonly reason: string
  readonly fix: string
}

type Found = Finding & { readonly rule: string; readonly scope: Path }

const ROUTE_RULES: NamedRules<FileRouteScope> = [
  ...POLICIES.flatMap(({ warnings }) => Object.entries(warnings?.route ?? {})),
  ...Object.entries(ROUTING),
  ...Object.entries(FIELD_RULES),
  ...Object.entries(JOB_RULES),
]
const UPSTREAM_RULES: NamedRules<FileUpstreamScope> = [
  ...POLICIES.flatMap(({ warnings }) => Object.entries(warnings?.upstream ?? {})),
  ...Object.entries(REACHING),
  ...Object.entries(TLS_RULES),
]

/** In the order of the file. A setting that applies in many places is reported once. */
export function warningsOf(
  config: Config,
  origins: Origins,
  diskBytes: DiskBytes = () => Number.POSITIVE_INFINITY,
): ConfigWarning[] {
  const found = [
    ...findings(Object.entries(SERVICE), [], { config, diskBytes }),
    ...Object.keys(config.timeouts).flatMap((name) => findings(Object.entries(COMPUTED), [], { config, name })),
    ...config.upstreams.flatMap((upstream) => [
      ...findings(UPSTREAM_RULES, ['upstreams', upstream.name], { config, upstream }),
      ...scopesOf(config, upstream, origins).flatMap(({ path, ...scope }) => findings(ROUTE_RULES, path, scope)),
    ]),
  ]
  const seen = new Set<string>()
  return found
    .map((one) => located(one, origins))
    .filter(({ rule, line, column }) => {
      const key = `${rule}:${line}:${column}`
      return !seen.has(key) && seen.add(key)
    })
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

export const RULE_NAMES: readonly string[] = [
  ...new Set([
    ...Object.keys(SERVICE),
    ...Object.keys(COMPUTED),
    ...[...UPSTREAM_RULES, ...ROUTE_RULES].map(([name]) => name),
  ]),
]

function findings<Scope>(rules: NamedRules<Scope>, path: Path, scope: Scope): Found[] {
  return rules.flatMap(([rule, look]) => {
    const finding = look(scope)
    return finding === undefined ? [] : [{ ...finding, rule, scope: path }]
  })
}

/** Scopes of an upstream: requests that match no route, then each route. */
function scopesOf(config: Config, upstream: UpstreamConfig, origins: Origins): (FileRouteScope & { path: Path })[] {
  const inputs = defaultInputs(config)
  const base: Path = ['upstreams', upstream.name]
  const scope = (path: Path, match: string | undefined, route: FileRouteScope['route']) => ({
    config,
    service: config,
    upstream,
    route,
    match,
    path,
    lengths: lengthsOf(route.timeout, config.timeouts, inputs),
    isWritten: (setting: string) => origins.of([...path, ...setting.split('.')]) !== undefined,
    writtenAt: (setting: Path) => origins.textOf([...path, ...setting]),
  })
  return [
    scope(base, undefined, unmatchedRoute(upstream)),
    ...upstream.routes.map((route, i) => scope([...base, 'routes', i], route.match, route)),
  ]
}

const NEARNESS: readonly Level[] = ['route', 'upstream', 'file', 'defaults']

/** Place of the nearest setting; of its route or upstream when all have defaults. */
function located({ rule, scope, at, reason, fix }: Found, origins: Origins): ConfigWarning {
  const places = at
    .map((setting) => origins.of([...scope, ...setting.split('.')]))
    .filter((origin) => origin !== undefined)
    .sort((a, b) => NEARNESS.indexOf(a.level) - NEARNESS.indexOf(b.level))
  const nearest = places[0] ?? origins.of(scope.length > 2 ? [...scope, 'match'] : scope)
  return { ...excerptOf(nearest, [...scope, ...at[0].split('.')], origins.file), rule, reason, fix }
}

/** The top of the file for settings that it does not mention. */
function excerptOf(origin: Origin | undefined, setting: Path, file: string): Excerpt {
  const { line, column, source, path } = origin ?? { line: 1, column: 1, source: '', path: setting }
  return excerptAt(file, { line, column, source, path })
}

/** One paragraph per warning: place, name and reason; the line with a caret; the remedy. */
export function formatWarnings(warnings: readonly ConfigWarning[]): string {
  return warnings
    .map((one) => {
      const place = `${one.file}:${one.line}:${one.column}`
      return `${place}: warning ${one.rule}: ${one.path}: ${one.reason}\n${shown(one)}  instead: ${one.fix}\n`
    })
    .join('')
}

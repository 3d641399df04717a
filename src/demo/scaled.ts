import type { Config, UpstreamConfig } from '../config/schema.ts'
import type { TimeoutRule } from '../job/timeouts.ts'

/**
 * Scales a configuration to a world where a second lasts `scale` seconds. Shares, counts and sizes stay, and so do times of
 * idle connections, which the services of that world keep as long as real ones.
 */
export const scaled = (config: Config, scale: number): Config => ({
  ...config,
  timeouts: Object.fromEntries(Object.entries(config.timeouts).map(([name, rule]) => [name, scaledRule(rule, scale)])),
  upstreams: config.upstreams.map((upstream) => scaledUpstream(upstream, scale)),
})

const scaledRule = (rule: TimeoutRule, scale: number): TimeoutRule => ({
  ...scaledLengths(rule, scale),
  per: Object.fromEntries(Object.entries(rule.per).map(([input, ms]) => [input, ms * scale])),
})

/** The client's patience is not scaled: nothing waits by it. */
function scaledUpstream(upstream: UpstreamConfig, scale: number): UpstreamConfig {
  const { connections, clientTimeoutMs } = upstream
  const routes = upstream.routes.map((route) => ({
    ...scaledLengths(route, scale),
    clientTimeoutMs: route.clientTimeoutMs,
  }))
  return { ...scaledLengths(upstream, scale), connections, clientTimeoutMs, routes }
}

/** Settings carry units in their names: those that end in `Ms` are multiplied, those in `PerSecond` divided. */
function scaledLengths<T>(value: T, scale: number, key = ''): T {
  if (typeof value === 'number') return scaledNumber(value, scale, key) as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((inner) => scaledLengths(inner, scale)) as T
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, scaledLengths(inner, scale, name)]),
  ) as T
}

function scaledNumber(value: number, scale: number, key: string): number {
  if (key.endsWith('Ms')) return value * scale
  return key.endsWith('PerSecond') ? value / scale : value
}

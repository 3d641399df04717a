/** What a rule of `check` looks at, and what it finds. */

import type { BackoffSettings } from '../../policy/retry/backoff.ts'
import { computedMs, type Inputs, type TimeoutRules } from '../../job/timeouts.ts'
import type { Config, RouteConfig, Timeouts, UpstreamConfig } from '../schema.ts'

export type Finding = {
  /** The settings that it comes of, keys joined by dots, from the scope on; it is told at the one said nearest to the request. */
  readonly at: readonly [string, ...string[]]
  /** What will happen. */
  readonly reason: string
  /** What to write instead. */
  readonly fix: string
}

/** What the whole file says. */
export type FileScope = { readonly config: Config }

export type UpstreamScope = FileScope & { readonly upstream: UpstreamConfig }

/** A route, or what holds for requests that match none. */
export type RouteScope = UpstreamScope & {
  readonly route: Omit<RouteConfig, 'match'>
  /** undefined for requests that match no route. */
  readonly match: string | undefined
  /** Of each timeout, in ms: a computed one for a job with the default inputs, the limit of an observed one. */
  readonly lengths: { readonly [K in keyof Timeouts]: number }
  /** Whether the file says a setting, at the route or above it. */
  readonly said: (setting: string) => boolean
}

type Rule<Scope> = (scope: Scope) => Finding | undefined

/** By the stable name of what they warn of. */
export type Rules<Scope> = Readonly<Record<string, Rule<Scope>>>

export const defaultInputs = ({ job }: Config): Inputs =>
  Object.fromEntries(job.inputs.map(({ name, byDefault }) => [name, byDefault]))

export function lengthsOf(timeout: Timeouts, rules: TimeoutRules, inputs: Inputs): RouteScope['lengths'] {
  const lengthOf = (length: Timeouts['attempt']): number => {
    if (typeof length === 'number') return length
    return 'observed' in length ? lengthOf(length.max) : computedMs(length.computed, length.divideBy, rules, inputs)
  }
  const { connect, attempt, total, idle, tunnel } = timeout
  return {
    connect: lengthOf(connect),
    attempt: lengthOf(attempt),
    total: lengthOf(total),
    idle: lengthOf(idle),
    tunnel,
  }
}

export const backoffOf = ({ backoff }: RouteConfig['retry']): BackoffSettings => ({
  initialMs: backoff.initial,
  factor: backoff.factor,
  maxMs: backoff.max,
  jitter: backoff.jitter,
})

/** Whether requests of the route may be repeated whatever the outcome; undefined when it depends on their method. */
export function isRepeatable({ route, match }: RouteScope): boolean | undefined {
  if (route.idempotent) return true
  const method = match?.split(' ')[0] ?? '*'
  return method === '*' ? undefined : route.retry.methods.includes(method)
}

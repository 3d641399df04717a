/** The time limits of a request, each with how it came about. */

import { writtenMs } from '../config/kinds/units.ts'
import type { Timeouts } from '../config/schema.ts'
import { computedMs, computeTimeout } from '../job/timeouts.ts'
import type { Part, Scope } from './scope.ts'

export type Limit = Part & {
  readonly ms: number
  /** What it was computed from, term by term; empty for a fixed one. */
  readonly terms: readonly string[]
}

export type Limits = {
  readonly connect: Limit
  readonly attempt: Limit
  readonly total: Limit
  readonly idle: Limit
  /** How long the client waits. */
  readonly client: Limit
}

export function limitsOf(scope: Scope): Limits {
  const { connect, attempt, total, idle } = scope.route.timeout
  const limit = (name: string, length: Timeouts['attempt'], what: string): Limit => {
    const { ms, terms } = measured(length, scope)
    return { ...scope.part(`timeout.${name}`, `${writtenMs(ms)} ${what}`), ms, terms }
  }
  const clientMs = scope.route.clientTimeout
  const client = scope.part('clientTimeout', `${writtenMs(clientMs)} until the client gives up`)
  return {
    connect: limit('connect', connect, 'to connect'),
    attempt: limit('attempt', attempt, 'for one attempt, from the end of its request to its response head'),
    total: limit('total', total, 'for all of it, to the response head that is relayed'),
    idle: limit('idle', idle, 'between two chunks of a body'),
    client: { ...client, ms: clientMs, terms: [] },
  }
}

function measured(length: Timeouts['attempt'], scope: Scope): Pick<Limit, 'ms' | 'terms'> {
  if (typeof length === 'number') return { ms: length, terms: [] }
  if ('observed' in length) {
    const { ms, terms } = measured(length.max, scope)
    const seen = `${length.observed} of what attempts have taken of late, times ${length.times}, at least ${writtenMs(length.min)}`
    return { ms, terms: [...terms, `${writtenMs(ms)} at most, and while little is known; then ${seen}`] }
  }
  const { computed, divideBy } = length
  const { timeouts } = scope.config
  const { seconds, terms } = computeTimeout(computed, timeouts, scope.inputs)
  const ms = computedMs(computed, divideBy, timeouts, scope.inputs)
  const whole = `${computed} = ${seconds} s, in whole seconds`
  return {
    ms,
    terms: [...terms, whole, ...(divideBy === undefined ? [] : [`÷ ${divideBy} ${scope.inputs[divideBy]}`])],
  }
}

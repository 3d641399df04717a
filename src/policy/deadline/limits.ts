/** Time limits of a request, each with how it was computed. */

import type { Length } from '../../config/kinds/length.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import { computedMs, computeTimeout } from '../../job/timeouts.ts'
import { isObserved, type ObservedLength } from '../observe/settings.ts'
import type { ExplainScope, Part } from '../scope.ts'
import type { DeadlineSettings } from './settings.ts'

export type Limit = Part & {
  readonly ms: number
  /** Terms of the computation; empty for a fixed limit. */
  readonly terms: readonly string[]
}

export type Limits = {
  readonly connect: Limit
  readonly attempt: Limit
  readonly total: Limit
  readonly idle: Limit
  /** Time that the client waits. */
  readonly client: Limit
}

export function limitsOf(scope: ExplainScope<DeadlineSettings>): Limits {
  const { connectMs, attemptMs, totalMs, idleMs } = scope.route.timeout
  const limit = (name: string, length: Length | ObservedLength, what: string): Limit => {
    const { ms, terms } = measured(length, scope)
    return { ...scope.part(`timeout.${name}`, `${writtenMs(ms)} ${what}`), ms, terms }
  }
  const clientMs = scope.route.clientTimeoutMs
  const client = scope.part('clientTimeout', `${writtenMs(clientMs)} until the client gives up`)
  return {
    connect: limit('connect', connectMs, 'to connect'),
    attempt: limit(
      'attempt',
      attemptMs,
      'for one attempt, from the end of its request to its response head, where another one can follow it',
    ),
    total: limit('total', totalMs, 'for all of it, from the end of the request to the response head that is relayed'),
    idle: limit('idle', idleMs, 'without progress of a body'),
    client: { ...client, ms: clientMs, terms: [] },
  }
}

function measured(length: Length | ObservedLength, scope: ExplainScope): Pick<Limit, 'ms' | 'terms'> {
  if (typeof length === 'number') return { ms: length, terms: [] }
  if (isObserved(length)) {
    const { ms, terms } = measured(length.maxMs, scope)
    const seen = `${length.observed} of what attempts have taken of late, times ${length.times}, at least ${writtenMs(length.minMs)}`
    return { ms, terms: [...terms, `${writtenMs(ms)} at most, and while little is known; then ${seen}`] }
  }
  const { computed, divideBy } = length
  const { seconds, terms } = computeTimeout(computed, scope.timeouts, scope.inputs)
  const ms = computedMs(computed, divideBy, scope.timeouts, scope.inputs)
  const whole = `${computed} = ${seconds} s, in whole seconds`
  return {
    ms,
    terms: [...terms, whole, ...(divideBy === undefined ? [] : [`÷ ${divideBy} ${scope.inputs[divideBy]}`])],
  }
}

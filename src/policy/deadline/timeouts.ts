/** Turns the lengths of the configuration into the ms of a request. */

import type { Length } from '../../config/kinds/length.ts'
import { computedMs, type Inputs, type TimeoutRules } from '../../job/timeouts.ts'
import type { Timeouts } from '../exchange.ts'
import { isObserved, type ObservedLength } from '../observe/settings.ts'
import type { RouteTraits } from '../exchange.ts'
import type { Lengths } from '../scope.ts'
import type { TimeoutSettings } from './settings.ts'

/** Fixed timeouts are made once, computed ones for each request from its job's inputs. */
export function timeoutsOf(timeout: TimeoutSettings, rules: TimeoutRules): RouteTraits['timeouts'] {
  const { connectMs, attemptMs, totalMs, idleMs } = timeout
  const all = (inputs: Inputs): Timeouts => lengthsOf(timeout, rules, inputs)
  const isFixed = [connectMs, limitOf(attemptMs), totalMs, idleMs].every((length) => typeof length === 'number')
  return isFixed ? all({}) : all
}

/** An observed timeout counts as its maximum. */
export const lengthsOf = (timeout: TimeoutSettings, rules: TimeoutRules, inputs: Inputs): Lengths => {
  const ms = (length: Length) =>
    typeof length === 'number' ? length : computedMs(length.computed, length.divideBy, rules, inputs)
  return {
    connectMs: ms(timeout.connectMs),
    attemptMs: ms(limitOf(timeout.attemptMs)),
    totalMs: ms(timeout.totalMs),
    idleMs: ms(timeout.idleMs),
    usefulMs: timeout.usefulMs,
    tunnelMs: timeout.tunnelMs,
  }
}

const limitOf = (length: Length | ObservedLength): Length => (isObserved(length) ? length.maxMs : length)

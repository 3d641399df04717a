/** The best and the worst that a request may come to, for its client and for its upstream. */

import { writtenMs } from '../config/kinds/units.ts'
import type { Scope } from './scope.ts'
import type { Limits } from './limits.ts'
import type { Retries } from './retries.ts'

export type Bounds = {
  readonly client: {
    readonly best: string
    readonly worst: string
    /** To a response head, in ms; the sidecar's own when there is no other. */
    readonly worstMs: number
    /** Whether the client is still there by then. */
    readonly isInTime: boolean
  }
  readonly upstream: {
    readonly best: string
    readonly worst: string
    readonly bestCalls: number
    readonly worstCalls: number
  }
}

export function boundsOf(scope: Scope, { total, client, idle }: Limits, retries: Retries): Bounds {
  const { hold, hedge, resume, breaker, collapse } = scope.route
  const { openForMax } = breaker ?? scope.upstream.breaker
  const worstMs = total.ms
  const isInTime = worstMs < client.ms
  // Where only a refused connection is repeated, the upstream meets one call.
  const attempts = retries.isRepeatable ? Math.max(retries.whenRefused.length, retries.whenTimedOut.length) : 1
  const beside = hedge === false || !retries.isRepeatable ? 1 : 1 + hedge.max
  const polls =
    hold === false || scope.method !== 'GET' ? 1 : 1 + Math.floor(Math.min(hold.upTo, total.ms) / hold.every)
  const worstCalls = attempts * beside + polls - 1
  const isShared = collapse !== false || polls > 1
  const over = isInTime
    ? ''
    : `; the client has given up after ${writtenMs(client.ms)} by then, and that ends what is under way`
  return {
    client: {
      best: `the upstream's own answer as soon as it comes${polls > 1 ? ', held until the status changes' : ''}; while the breaker is open, 503 at once, with Retry-After up to ${writtenMs(openForMax)}`,
      worst: `504 after ${writtenMs(worstMs)}, or the last answer that there was${over}; a body after that may pause ${writtenMs(idle.ms)} at most`,
      worstMs,
      isInTime,
    },
    upstream: {
      best: isShared ? 'no call, where another that is the same is under way; else 1' : '1 call',
      worst: `${worstCalls} ${worstCalls === 1 ? 'call' : 'calls'}${reasonsOf(attempts, beside, polls)}${resume ? '; and, for a body that breaks off, Range requests beyond that' : ''}`,
      bestCalls: isShared ? 0 : 1,
      worstCalls,
    },
  }
}

function reasonsOf(attempts: number, beside: number, polls: number): string {
  const parts = [
    ...(attempts > 1 ? [`${attempts} attempts within total, as long as the budget has retries to give`] : []),
    ...(beside > 1 ? [`each with up to ${beside - 1} beside it`] : []),
    ...(polls > 1 ? [`${polls} polls of a hold, which share those retries`] : []),
  ]
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`
}

import { attempting } from './attempt.ts'
import { type Breaker, breaking, refusalOf } from './breaker.ts'
import type { Budget } from './budget.ts'
import { deadline } from './deadline.ts'
import type { Deps, Layer, Send, Transport } from './exchange.ts'
import { type HoldSettings, holding } from './hold.ts'
import { type LimitSettings, limit, type Slots } from './limit.ts'
import { type Pace, type Paced, pacing, type RateLimit } from './rate.ts'
import { resuming } from './resume.ts'
import { type RetrySettings, retrying } from './retry.ts'

export type PipelineSettings = {
  readonly concurrency: LimitSettings
  readonly retry: RetrySettings
  readonly connections: LimitSettings
  readonly rate: RateLimit | undefined
  /** undefined where polls are not held. */
  readonly hold: HoldSettings | undefined
  /** Whether a body that breaks off is gone on with. */
  readonly resume: boolean
}

/** What the exchanges of one upstream have in common, and what outlives the settings. */
export type PipelineState = {
  readonly concurrency: Slots
  readonly connections: Slots
  /** undefined where the rate is not limited. */
  readonly pace: Pace | undefined
  readonly budget: Budget
  readonly breaker: Breaker
}

/**
 * Outermost first: this list is the whole policy order, and docs/decisions/0001-policy-order.md says why.
 * Single flight (collapse) has its place between concurrency and retry; hedging
 * around the attempt.
 */
export function pipeline(settings: PipelineSettings, state: PipelineState, transport: Transport, deps: Deps): Send {
  const refusal = () => refusalOf(state.breaker, deps)
  const paced = (what: Paced) =>
    settings.rate && state.pace ? [pacing(settings.rate, state.pace, what, refusal, deps)] : []
  const layers: readonly Layer[] = [
    deadline,
    ...(settings.hold ? [holding(settings.hold, new Map(), deps)] : []),
    ...paced('requests'),
    limit(settings.concurrency, state.concurrency, refusal, deps),
    ...(settings.resume ? [resuming(settings.retry, state.budget, deps)] : []),
    retrying(settings.retry, state.budget, state.breaker, deps),
    ...paced('repetitions'),
    limit(settings.connections, state.connections, refusal, deps),
    breaking(state.breaker, deps),
  ]
  return layers.reduceRight<Send>((next, layer) => layer(next), attempting(transport, deps))
}

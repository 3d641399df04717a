import { type Adaptive, gauging } from './limit/adaptive.ts'
import { attempting } from './attempt/attempt.ts'
import { type BalanceSettings, balancing, type Delays, type Endpoint, triesLeft } from './balance/balance.ts'
import { breaking, refusalOf } from './breaker/breaker.ts'
import type { Budget } from './retry/budget.ts'
import { type CollapseSettings, collapsing, type Flights } from './collapse/collapse.ts'
import { deadline } from './deadline/deadline.ts'
import type { Layer, Send, Transport } from './exchange.ts'
import type { Deps } from '../deps.ts'
import { type HedgeSettings, hedging } from './hedge/hedge.ts'
import { type HoldSettings, holding, type Polls } from './hold/hold.ts'
import type { Latencies } from './observe/latencies.ts'
import { type LimitSettings, limit, type Slots } from './limit/limit.ts'
import { type ObservedSettings, observedTimeout, observing } from './observe/observe.ts'
import { type Pace, type Paced, type PaceSettings, pacing } from './rate/rate.ts'
import { resuming } from './resume/resume.ts'
import { type RetrySettings, retrying } from './retry/retry.ts'

/** undefined where a policy is off. */
export type PipelineSettings = {
  readonly concurrency: LimitSettings
  readonly retry: RetrySettings
  readonly connections: LimitSettings
  readonly balance: BalanceSettings
  readonly rate: PaceSettings | undefined
  readonly hold: HoldSettings | undefined
  readonly collapse: CollapseSettings | undefined
  readonly hedge: HedgeSettings | undefined
  readonly observed: ObservedSettings | undefined
  /** Whether a body that breaks off is gone on with. */
  readonly resume: boolean
}

/** What the exchanges of one upstream have in common, and what outlives the settings. */
export type PipelineState = {
  readonly concurrency: Slots
  /** undefined where the concurrency limit is fixed. */
  readonly adaptive: Adaptive | undefined
  /** undefined where the rate is not limited. */
  readonly pace: Pace | undefined
  readonly budget: Budget
  /** One at least. */
  readonly endpoints: readonly EndpointState[]
  /** The route's own. */
  readonly polls: Polls
  readonly flights: Flights
  readonly latencies: Latencies
  readonly delays: Delays
}

export type EndpointState = Endpoint & { readonly connections: Slots; readonly transport: Transport }

/** Outermost first: this list is the whole policy order, and docs/decisions/0001-policy-order.md says why. */
export function pipeline(settings: PipelineSettings, state: PipelineState, deps: Deps): Send {
  const { hold, collapse, hedge, observed, rate, retry } = settings
  const breakers = state.endpoints.map(({ breaker }) => breaker)
  const refusal = () => refusalOf(breakers, deps)
  const paced = (what: Paced) => (rate && state.pace ? [pacing(rate, state.pace, what, refusal, deps)] : [])
  const { adaptive, latencies } = state
  const layers: readonly Layer[] = [
    deadline,
    ...(observed ? [observedTimeout(observed, latencies, deps)] : []),
    ...(hold ? [holding(hold, state.polls, deps)] : []),
    ...(collapse ? [collapsing(collapse, state.flights, deps)] : []),
    ...paced('requests'),
    limit(settings.concurrency, state.concurrency, refusal, deps),
    ...(settings.resume ? [resuming(retry, state.budget, deps)] : []),
    retrying(retry, state.budget, breakers, triesLeft(state.endpoints, deps), deps),
    ...(hedge ? [hedging(hedge, latencies, state.budget, deps)] : []),
    ...paced('repetitions'),
    ...(hedge || observed ? [observing(latencies, retry.statuses, deps)] : []),
    ...(adaptive ? [gauging(adaptive, retry.statuses, deps)] : []),
  ]
  return composed(layers, balancing(endpointSends(settings, state, deps), state.delays, settings.balance, deps))
}

/** What stands between the choice of an endpoint and its wire. */
function endpointSends(settings: PipelineSettings, { endpoints }: PipelineState, deps: Deps) {
  return endpoints.map((endpoint) => {
    const { breaker, connections, transport, origin } = endpoint
    const layers = [
      limit(settings.connections, connections, () => refusalOf([breaker], deps), deps),
      breaking(breaker, deps),
    ]
    const name = endpoints.length > 1 ? origin : undefined
    return { endpoint, send: composed(layers, attempting(transport, origin, name, deps)) }
  })
}

const composed = (layers: readonly Layer[], innermost: Send): Send =>
  layers.reduceRight<Send>((next, layer) => layer(next), innermost)

import { isBreakerRefusal, ProxyError } from '../../errors.ts'
import { type Breaker, wouldAdmit } from '../breaker/breaker.ts'
import type { Exchange, Reply, Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { BalanceSettings } from './settings.ts'

/** An endpoint of an upstream as a route sees it: a route may have a breaker of its own for it. */
export type Endpoint = {
  /** Scheme, host and port. */
  readonly origin: string
  /** Exchanges under way at the endpoint, of all routes. */
  readonly load: { inFlight: number }
  readonly breaker: Breaker
}

type Settings = BalanceSettings['balance']

/** Latencies by origin. Each route has its own, since routes of one upstream differ in latency. */
export type Delays = Map<string, Delay>

type Delay = {
  /** undefined until the endpoint has answered once. */
  latencyMs: number | undefined
  seenAt: number
  /** Start times (monotonic ms) of calls that have no answer yet, oldest first. */
  readonly unanswered: Set<{ readonly startedAt: number }>
}

type Choice = { readonly endpoint: Endpoint; readonly send: Send; readonly delay: Delay }

/** Smallest latency that counts. Two endpoints without calls then differ by what is in flight. */
const MIN_LATENCY_MS = 0.1
/**
 * Latency of an endpoint that was called and never answered. It gets a second call only when all others are as unknown
 * (Finagle).
 */
const UNKNOWN_MS = 1e9
/** Share of the way that a known latency moves down towards a lower one. */
const STEP_DOWN = 0.2
/** Share of its traffic that a recovered endpoint starts with (Envoy's `min_weight_percent`). */
const MIN_WEIGHT = 0.1

/** Whether an endpoint that the exchange has not tried admits calls now. */
export const triesLeft =
  (endpoints: readonly Endpoint[], deps: Deps) =>
  ({ tried }: Exchange): boolean =>
    endpoints.length > 1 && endpoints.some((one) => !tried.includes(one.origin) && wouldAdmit(one.breaker, deps))

/**
 * Sends each call to the less loaded of two endpoints. Picks the two at random among those whose breaker admits calls and that
 * the exchange has not tried. Load is the peak-sensitive moving average of the latency times the calls in flight. Sources:
 * Mitzenmacher 2001 (two choices); peak EWMA of Finagle and Linkerd. Beyond those, a call without an answer counts for as long
 * as it has waited, and a failure for twice the known latency, so that an endpoint that fails fast does not attract traffic.
 * Never uses an endpoint whose breaker is open.
 */
export function balancing(
  endpoints: readonly { readonly endpoint: Endpoint; readonly send: Send }[],
  delays: Delays,
  settings: Settings,
  deps: Deps,
): Send {
  const [first, ...others] = endpoints
  if (first === undefined) throw new Error('an upstream without endpoints')
  if (others.length === 0) return first.send
  const choices = endpoints.map((one): Choice => ({ ...one, delay: delayOf(one.endpoint, delays) }))
  const isTryLeft = triesLeft(
    endpoints.map(({ endpoint }) => endpoint),
    deps,
  )
  return async (exchange) => {
    for (;;) {
      const choice = choose(choices, exchange, settings, deps)
      exchange.tried.push(choice.endpoint.origin)
      try {
        return await sendTo(choice, exchange, settings, deps)
      } catch (error) {
        // The breaker opened, or gave its last probe slot away, while this call waited for a connection.
        const isRefused = error instanceof ProxyError && isBreakerRefusal(error.code)
        if (!isRefused || !isTryLeft(exchange)) throw error
      }
    }
  }
}

function delayOf({ origin }: Endpoint, delays: Delays): Delay {
  const delay = delays.get(origin) ?? { latencyMs: undefined, seenAt: 0, unanswered: new Set() }
  delays.set(origin, delay)
  return delay
}

async function sendTo(choice: Choice, exchange: Exchange, settings: Settings, deps: Deps): Promise<Reply> {
  const { endpoint, delay } = choice
  const { load, breaker } = endpoint
  const call = { startedAt: deps.clock.now() }
  const stalledBefore = deps.clock.stalledMs()
  const learn = (isFailure: boolean) => {
    const now = deps.clock.now()
    see(delay, now - call.startedAt - (deps.clock.stalledMs() - stalledBefore), isFailure, now, settings)
  }
  load.inFlight += 1
  delay.unanswered.add(call)
  const leave = () => {
    load.inFlight -= 1
  }
  try {
    const reply = await choice.send(exchange)
    reply.onClosed(leave)
    learn(breaker.settings.failureStatuses.has(reply.status))
    return reply
  } catch (error) {
    leave()
    if (error instanceof ProxyError && error.whose === 'upstream') learn(true)
    throw error
  } finally {
    delay.unanswered.delete(call)
  }
}

function choose(choices: readonly Choice[], { tried }: Exchange, settings: Settings, deps: Deps): Choice {
  const able = choices.filter(({ endpoint }) => wouldAdmit(endpoint.breaker, deps))
  const untried = able.filter(({ endpoint }) => !tried.includes(endpoint.origin))
  // When no breaker admits the call, the chosen endpoint's breaker makes the rejection.
  const among = [untried, able, choices].find(({ length }) => length > 0) ?? choices
  const i = Math.floor(deps.random() * among.length)
  const j = (i + 1 + Math.floor(deps.random() * (among.length - 1))) % among.length
  const [one, other] = [among[i], among[j]]
  if (one === undefined || other === undefined) throw new Error('no endpoint to choose')
  const now = deps.clock.now()
  return costOf(other, now, settings) < costOf(one, now, settings) ? other : one
}

function costOf({ endpoint, delay }: Choice, now: number, settings: Settings): number {
  const { load, breaker } = endpoint
  const { slowStartMs } = settings
  const [oldest] = delay.unanswered
  const waitedMs = oldest === undefined ? 0 : now - oldest.startedAt
  const unknownMs = oldest === undefined ? MIN_LATENCY_MS : UNKNOWN_MS
  const latencyMs = Math.max(MIN_LATENCY_MS, waitedMs, known(delay, now, settings) ?? unknownMs)
  const grown = slowStartMs > 0 ? (now - breaker.circuit.closedAt) / slowStartMs : 1
  return (latencyMs * (load.inFlight + 1)) / Math.min(1, Math.max(MIN_WEIGHT, grown))
}

/** The latency, decayed by its age. */
const known = ({ latencyMs, seenAt }: Delay, now: number, { decayMs }: Settings) =>
  latencyMs === undefined ? undefined : latencyMs * Math.exp((seenAt - now) / decayMs)

/**
 * Raises the latency at once and lowers it in steps, so that one fast answer does not draw traffic back. Steps count answers,
 * not time: otherwise one slow answer would send the next calls to endpoints that are slow as a rule.
 */
function see(delay: Delay, ms: number, isFailure: boolean, now: number, settings: Settings): void {
  const before = known(delay, now, settings) ?? 0
  const seen = isFailure ? Math.max(ms, 2 * Math.max(before, MIN_LATENCY_MS)) : ms
  delay.latencyMs = seen >= before ? seen : before + (seen - before) * STEP_DOWN
  delay.seenAt = now
}

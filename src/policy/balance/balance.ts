import { isBreakerRefusal, ProxyError } from '../../errors.ts'
import { type Breaker, wouldAdmit } from '../breaker/breaker.ts'
import type { Exchange, Reply, Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { type Delay, freshDelay, known, MIN_LATENCY_MS, relieve, see, seeFailure } from './delay.ts'
import { isUnconnected, type Reach, seeConnected, seeUnconnected } from './reach.ts'
import type { BalanceSettings } from './settings.ts'

/** An endpoint of an upstream as a route sees it: a route may have a breaker of its own for it. */
export type Endpoint = {
  /** Scheme, host and port. */
  readonly origin: string
  /** Exchanges under way at the endpoint, of all routes. */
  readonly load: { inFlight: number }
  readonly reach: Reach
  readonly breaker: Breaker
}

type Settings = BalanceSettings['balance']

/** Latencies by origin. Each route has its own, since routes of one upstream differ in latency. */
export type Delays = Map<string, Delay>

type Way = {
  readonly endpoint: Endpoint
  readonly send: Send
  /** Monotonic ms of the reload that added the endpoint; -Infinity when it was there at the start. */
  readonly addedAt: number
}

type Choice = Way & { readonly delay: Delay }

/**
 * Latency of an endpoint that was called and never answered, once another has given a good answer. It gets a second call only
 * when all others are as unknown (Finagle). Until a good answer has come, a waiting endpoint counts for its wait alone:
 * otherwise one that answers 404 at once would get all calls until the first good answer of another.
 */
const UNKNOWN_MS = 1e9
/** Share of its traffic that a new or recovered endpoint starts with (Envoy's `min_weight_percent`). */
const MIN_WEIGHT = 0.1

/** Whether the next call of the exchange would go to an endpoint that it has not tried. */
export const triesLeft =
  (endpoints: readonly Endpoint[], deps: Deps) =>
  ({ tried }: Exchange): boolean =>
    endpoints.length > 1 && preferred(endpoints, tried, deps).some(({ origin }) => !tried.includes(origin))

/**
 * Sends each call to the less loaded of two endpoints. Picks the two at random among those whose breaker admits calls and that
 * the exchange has not tried. Load is the peak-sensitive moving average of the latency times the calls in flight. Sources:
 * Mitzenmacher 2001 (two choices); peak EWMA of Finagle and Linkerd. Beyond those, a call without an answer counts for as long
 * as it has waited, and a failure for twice the known latency, so that an endpoint that fails fast does not attract traffic.
 * So does each answer but 2xx and 3xx: a replica with the wrong software answers 404 in no time. Never uses an endpoint whose
 * breaker is open.
 */
export function balancing(ways: readonly Way[], delays: Delays, settings: Settings, deps: Deps): Send {
  const [first, ...others] = ways
  if (first === undefined) throw new Error('an upstream without endpoints')
  if (others.length === 0) return first.send
  const choices = ways.map((one): Choice => ({ ...one, delay: delayOf(one.endpoint, delays) }))
  const endpoints = ways.map(({ endpoint }) => endpoint)
  const isTryLeft = triesLeft(endpoints, deps)
  const noteFailure = (delay: Delay, ms: number) => {
    const all = choices.map((choice) => choice.delay)
    const peers = all.filter((other) => other !== delay)
    seeFailure(delay, ms, peers, deps.clock.now(), settings)
    const able = choices.filter(({ endpoint }) => isReachable(endpoint, deps) && wouldAdmit(endpoint.breaker, deps))
    relieve(
      all,
      able.map((choice) => choice.delay),
    )
  }
  return async (exchange) => {
    let replayed = deps.knownEndpoint?.(exchange.id)
    for (;;) {
      const among = new Set(preferred(endpoints, exchange.tried, deps))
      const able = choices.filter(({ endpoint }) => among.has(endpoint))
      // When no breaker admits the call, the chosen endpoint's breaker makes the rejection.
      const prescribed = choices.find(
        ({ endpoint }) => endpoint.origin === replayed && wouldAdmit(endpoint.breaker, deps),
      )
      const choice = prescribed ?? choose(able.length > 0 ? able : choices, settings, deps)
      replayed = undefined
      exchange.tried.push(choice.endpoint.origin)
      try {
        return await sendTo(choice, noteFailure, exchange, settings, deps)
      } catch (error) {
        // The breaker opened, or gave its last probe slot away, while this call waited for a connection.
        const isRefused = error instanceof ProxyError && isBreakerRefusal(error.code)
        if (!isRefused || !isTryLeft(exchange)) throw error
      }
    }
  }
}

function delayOf({ origin }: Endpoint, delays: Delays): Delay {
  const delay = delays.get(origin) ?? freshDelay()
  delays.set(origin, delay)
  return delay
}

async function sendTo(
  choice: Choice,
  noteFailure: (delay: Delay, ms: number) => void,
  exchange: Exchange,
  settings: Settings,
  deps: Deps,
): Promise<Reply> {
  const { endpoint, delay } = choice
  const { load, reach, breaker } = endpoint
  const call = { startedAt: deps.clock.now() }
  const stalledBefore = deps.clock.stalledMs()
  const failuresBefore = reach.failures
  const learn = (isFailure: boolean) => {
    const now = deps.clock.now()
    const ms = now - call.startedAt - (deps.clock.stalledMs() - stalledBefore)
    if (isFailure) noteFailure(delay, ms)
    else see(delay, ms, now, settings)
  }
  load.inFlight += 1
  delay.unanswered.add(call)
  const leave = () => {
    load.inFlight -= 1
  }
  try {
    const reply = await choice.send(exchange)
    reply.onClosed(leave)
    seeConnected(reach)
    learn(!isGood(reply.status) || breaker.settings.failureStatuses.has(reply.status))
    return reply
  } catch (error) {
    leave()
    if (error instanceof ProxyError && error.whose === 'upstream') {
      if (isUnconnected(error.code)) seeUnconnected(reach, failuresBefore, deps.clock.now())
      learn(true)
    }
    throw error
  } finally {
    delay.unanswered.delete(call)
  }
}

/** Whether the answer says how fast the endpoint does its work: 2xx, 3xx, and 101 for a request to switch protocols. */
const isGood = (status: number) => status === 101 || (status >= 200 && status < 400)

const isReachable = ({ reach }: Endpoint, deps: Deps) => reach.avoidUntil <= deps.clock.now()

/**
 * The endpoints among which the next call is decided; none when no breaker admits it. One that takes no connections comes after one that the exchange has
 * tried: another answer of the latter is likelier.
 */
function preferred(endpoints: readonly Endpoint[], tried: readonly string[], deps: Deps): readonly Endpoint[] {
  const able = endpoints.filter(({ breaker }) => wouldAdmit(breaker, deps))
  const reachable = able.filter((one) => isReachable(one, deps))
  const isUntried = ({ origin }: Endpoint) => !tried.includes(origin)
  const groups = [reachable.filter(isUntried), reachable, able.filter(isUntried), able]
  return groups.find(({ length }) => length > 0) ?? []
}

function choose(among: readonly Choice[], settings: Settings, deps: Deps): Choice {
  const i = Math.floor(deps.random() * among.length)
  const j = (i + 1 + Math.floor(deps.random() * (among.length - 1))) % among.length
  const [one, other] = [among[i], among[j]]
  if (one === undefined || other === undefined) throw new Error('no endpoint to choose')
  const now = deps.clock.now()
  const unknownMs = among.some(({ delay }) => delay.isProven) ? UNKNOWN_MS : MIN_LATENCY_MS
  return costOf(other, unknownMs, now, settings) < costOf(one, unknownMs, now, settings) ? other : one
}

/** @param waitingMs latency of an endpoint whose first answer is being waited for. */
function costOf({ endpoint, addedAt, delay }: Choice, waitingMs: number, now: number, settings: Settings): number {
  const { load, breaker } = endpoint
  const { slowStartMs } = settings
  const [oldest] = delay.unanswered
  const waitedMs = oldest === undefined ? 0 : now - oldest.startedAt
  const unknownMs = oldest === undefined ? MIN_LATENCY_MS : waitingMs
  const latencyMs = Math.max(MIN_LATENCY_MS, waitedMs, known(delay, now, settings) ?? unknownMs)
  const grown = slowStartMs > 0 ? (now - Math.max(addedAt, breaker.circuit.closedAt)) / slowStartMs : 1
  return (latencyMs * (load.inFlight + 1)) / Math.min(1, Math.max(MIN_WEIGHT, grown))
}

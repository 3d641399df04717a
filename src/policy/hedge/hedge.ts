import type { Timer } from '../../clock.ts'
import type { FaultCode } from '../../errors.ts'
import { type Budget, type BudgetSettings, withdraw } from '../retry/budget.ts'
import type { HedgeOutcome } from '../../events.ts'
import { type Exchange, fork, join, type Layer, type Reply, type RequestBody, type Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { quantile, record } from '../observe/latencies.ts'
import { Link } from '../link.ts'
import { WholeRequestBody } from '../whole.ts'

export type HedgeRules = {
  /** Time that an attempt may wait before another starts beside it, in ms; undefined for the route's observed p95. */
  readonly afterMs: number | undefined
  /** Further attempts beside the first. */
  readonly max: number
  /** Statuses that are not a good answer: those that would be retried. */
  readonly poor: ReadonlySet<number>
  readonly budget: BudgetSettings
}

const QUANTILE = 0.95
/** Largest request body that is sent twice at once, in bytes. */
const MAX_BODY = 64 * 1024

type Rules = {
  readonly settings: HedgeRules
  readonly budget: Budget
  readonly next: Send
  readonly deps: Deps
}

/**
 * Starts another attempt beside a slow one, takes the first good answer and gives up the others, which count for no breaker and
 * no percentile. Only for exchanges that may be repeated. Each hedge takes from the retry budget, so that an upstream that is
 * slow as a whole does not get slower. Source: Dean and Barroso, "The Tail at Scale", 2013, hedged requests after the 95th
 * percentile.
 */
export const hedging =
  (settings: HedgeRules, budget: Budget, deps: Deps): Layer =>
  (next) =>
  (exchange) => {
    if (!exchange.idempotent || exchange.upgrade !== undefined) return next(exchange)
    const afterMs = settings.afterMs ?? quantile(exchange.group.latencies, QUANTILE, deps.clock.now())
    if (afterMs === undefined) return next(exchange)
    return new Race(exchange, { settings, budget, next, deps }).run(afterMs)
  }

type Runner = {
  readonly exchange: Exchange
  readonly link: Link
  readonly startedAt: number
  readonly stalledMs: number
  isJoined: boolean
}

class Race {
  readonly #exchange: Exchange
  readonly #rules: Rules
  readonly #attemptsBefore: number
  readonly #runners: Runner[] = []
  readonly #underWay = new Set<Runner>()
  /** The first answer that is not good, or the first error. */
  #poor: { readonly reply: Reply } | { readonly error: unknown } | undefined
  #timer: Timer | undefined
  #resolve: (reply: Reply) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  readonly #onGone = () => {
    for (const runner of [...this.#underWay]) this.#stop(runner, this.#exchange.client.goneAs)
  }

  constructor(exchange: Exchange, rules: Rules) {
    this.#exchange = exchange
    this.#rules = rules
    this.#attemptsBefore = exchange.attemptsBefore + exchange.attempts
  }

  run(afterMs: number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#exchange.client.listen(this.#onGone)
      this.#start(this.#exchange.body)
      this.#arm(afterMs)
    })
  }

  #arm(afterMs: number): void {
    const { clock } = this.#rules.deps
    if (this.#runners.length > this.#rules.settings.max || this.#underWay.size === 0) return
    this.#timer = clock.after(afterMs, () => void this.#hedge(afterMs))
  }

  async #hedge(afterMs: number): Promise<void> {
    this.#timer = undefined
    const { budget, settings, deps } = this.#rules
    // An attempt that still waits for a connection is not slow. Another one would only wait, too.
    if (this.#runners.some(({ exchange }) => exchange.attempts === 0)) return this.#arm(afterMs)
    const body = await copyOf(this.#exchange.body)
    if (this.#underWay.size === 0 || (this.#exchange.body !== undefined && body === undefined)) return
    if (!withdraw(budget, deps.clock.now(), settings.budget)) {
      return this.#tell('denied')
    }
    this.#start(body)
    this.#arm(afterMs)
  }

  #start(body: RequestBody | undefined): void {
    const parent = this.#exchange
    const link = new Link((status, headers) => parent.client.inform(status, headers))
    const attemptsBefore = this.#attemptsBefore + this.#runners.length
    const hasTurn = this.#runners.length === 0 && parent.hasTurn
    const exchange = fork(parent, { body, client: link, attemptsBefore, tried: parent.tried, hasTurn })
    const { clock } = this.#rules.deps
    const runner = { exchange, link, startedAt: clock.now(), stalledMs: clock.stalledMs(), isJoined: false }
    this.#runners.push(runner)
    this.#underWay.add(runner)
    Promise.try(this.#rules.next, exchange).then(
      (reply) => this.#answered(runner, reply),
      (error: unknown) => this.#failed(runner, error),
    )
  }

  #answered(runner: Runner, reply: Reply): void {
    if (!this.#underWay.delete(runner)) return reply.discard('cancelled')
    const isPoor = this.#rules.settings.poor.has(reply.status)
    this.#join(runner, !isPoor || this.#underWay.size === 0)
    if (!isPoor) {
      this.#win(runner)
      return this.#resolve(reply)
    }
    if (this.#poor === undefined || 'error' in this.#poor) this.#poor = { reply }
    else reply.discard('cancelled')
    this.#loseWhenLast()
  }

  #failed(runner: Runner, error: unknown): void {
    if (!this.#underWay.delete(runner)) return
    this.#join(runner, this.#underWay.size === 0)
    const known = this.#poor
    // The sidecar's own refusal of a hedge says less than the result of the first attempt.
    const saysMore = known !== undefined && 'error' in known && runner === this.#runners[0]
    if (known === undefined || saysMore) this.#poor = { error }
    this.#loseWhenLast()
  }

  #win(winner: Runner): void {
    const { deps } = this.#rules
    const [first] = this.#runners
    if (this.#poor !== undefined && 'reply' in this.#poor) this.#poor.reply.discard('cancelled')
    if (this.#runners.length > 1) {
      const outcome = winner === first ? 'lost' : 'won'
      this.#tell(outcome)
      // The first attempt was slower than this. Without this sample the percentile would only ever fall.
      if (outcome === 'won' && first !== undefined && this.#underWay.has(first)) {
        const [now, stalledMs] = [deps.clock.now(), deps.clock.stalledMs() - first.stalledMs]
        record(this.#exchange.group.latencies, now - first.startedAt - stalledMs, now)
      }
    }
    const losers = [...this.#underWay]
    this.#end()
    for (const loser of losers) this.#stop(loser, 'hedge_lost')
  }

  #loseWhenLast(): void {
    if (this.#underWay.size > 0) return
    this.#end()
    if (this.#runners.length > 1) this.#tell('lost')
    if (this.#poor === undefined) return this.#reject(new Error('a hedge without an outcome'))
    if ('reply' in this.#poor) this.#resolve(this.#poor.reply)
    else this.#reject(this.#poor.error)
  }

  #tell(outcome: HedgeOutcome): void {
    const { route: ref, trace } = this.#exchange
    this.#rules.deps.emit({ kind: 'hedge', ref, outcome, trace })
  }

  /** Ends an attempt that no longer matters. */
  #stop(runner: Runner, as: FaultCode): void {
    runner.link.leave(as)
    this.#join(runner, false)
  }

  /** @param waited whether the exchange waited for this attempt. */
  #join(runner: Runner, waited: boolean): void {
    if (runner.isJoined) return
    runner.isJoined = true
    join(this.#exchange, runner.exchange, waited)
  }

  #end(): void {
    if (this.#timer !== undefined) this.#rules.deps.clock.cancel(this.#timer)
    this.#exchange.client.unlisten(this.#onGone)
    this.#underWay.clear()
  }
}

/** Copies the request body for a hedge; undefined when it cannot be copied. */
async function copyOf(body: RequestBody | undefined): Promise<RequestBody | undefined> {
  if (body === undefined || !body.complete || !body.replayable) return undefined
  const bytes = await body.peek(MAX_BODY)
  return bytes && new WholeRequestBody(bytes)
}

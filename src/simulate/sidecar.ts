import type { Connect } from '../runtime/retained.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { EarlyProbes, type Watched } from '../control/health/early-probes.ts'
import type { Inputs } from '../job/timeouts.ts'
import type { Event } from '../events.ts'
import type { Exchange } from '../policy/exchange.ts'
import type { Deps } from '../deps.ts'
import { compile, type Files, type Runtime } from '../runtime/runtime.ts'
import { type Answer, type Ended, SimulatedCall } from './simulated-call.ts'
import { type Got, type SimulatedAsk, SimulatedRequest } from './simulated-request.ts'
import type { SharedRedis } from './fleet/redis.ts'
import type { Tally } from './report/tally.ts'

/** The upstreams of a simulation. */
export type World = {
  /**
   * @param origin scheme, host and port of the endpoint that is called.
   * @returns a promise where what is yet to come decides when it ends; one that never resolves is silence.
   */
  answer(exchange: Exchange, origin: string): Answer | Promise<Ended>
  /**
   * Result of an endpoint's health check.
   * @param everyMs interval of the checks while a breaker is open.
   */
  isWell(upstream: string, origin: string, everyMs: number): boolean
  /** Endpoint of a request's next call, where a record tells it. */
  endpointOf?(requestId: string): string | undefined
}

/** Nothing in a simulation depends on what the files of a configuration hold. */
const NO_FILES: Files = { readText: () => '', sourceOf: () => ({ value: '' }) }

/** One sidecar without sockets: the policies of a configuration with a virtual clock and simulated upstreams. */
export class SimulatedSidecar {
  readonly #runtime: Runtime
  readonly #early: EarlyProbes
  readonly #deps: Deps
  readonly #inputs: Inputs
  #inFlight = 0
  #isLast = false

  constructor(
    config: Config,
    world: World,
    tally: Tally,
    clock: Clock,
    random: () => number,
    watch: ((event: Event, wallMs: number) => void) | undefined = undefined,
    fleet: { readonly redis: SharedRedis; readonly id: string } | undefined = undefined,
  ) {
    const emit = (event: Event) => {
      watch?.(event, clock.wallNow())
      if (event.kind === 'request') tallyRequest(event, tally, clock)
      // A defect of a policy or of the world ends the clock's run: nothing else would tell of it.
      if (event.kind === 'fault')
        clock.after(0, () => {
          throw event.error
        })
      if (event.kind !== 'breaker') return
      const { kind: _, failure: __, trace: ___, ...change } = event
      tally.breaker({ ...change, atMs: clock.now() })
      this.#early.record(event)
    }
    // Requests bring their own ids. Nothing in a simulation makes a new one.
    const peers = fleet?.redis.join(fleet.id, (news) => this.#runtime.hear(news))
    const knownEndpoint = (requestId: string) => world.endpointOf?.(requestId)
    const ofFleet = peers && { peers }
    this.#deps = { clock, random, newId: () => '', emit, isDraining: () => false, knownEndpoint, ...ofFleet }
    const connect: Connect = ({ origin: { origin } }) => ({
      send: (exchange, watch) => {
        tally.call(exchange.route.upstream, clock.now())
        return new SimulatedCall(world.answer(exchange, origin), watch, clock)
      },
      open: () => 0,
      retire: () => {},
      close: async () => {},
    })
    this.#runtime = compile(config, undefined, connect, NO_FILES, this.#deps)
    this.#early = new EarlyProbes(
      watchedOf(config, world),
      (upstream, origin) => !this.#isOver() && this.#runtime.isOpen(upstream, origin),
      this.#runtime.allowProbes,
      clock,
      (error) => {
        throw error
      },
    )
    this.#inputs = Object.fromEntries(config.job.inputs.map(({ name, byDefault }) => [name, byDefault]))
  }

  /**
   * @param got called when the request is over.
   * @returns false when the configuration has no such upstream.
   */
  ask(upstream: string, ask: SimulatedAsk, got: ((got: Got) => void) | undefined = undefined): boolean {
    const known = this.#runtime.upstreams.get(upstream)
    if (known === undefined) return false
    this.#inFlight += 1
    void new SimulatedRequest(ask, known, this.#inputs, this.#deps, (result) => {
      this.#inFlight -= 1
      got?.(result)
      this.#endWhenOver()
    }).run()
    return true
  }

  snapshot(): ReturnType<Runtime['snapshot']> {
    return this.#runtime.snapshot()
  }

  /** No request follows. After those under way nothing keeps the clock running. */
  finish(): void {
    this.#isLast = true
    this.#endWhenOver()
  }

  #isOver(): boolean {
    return this.#isLast && this.#inFlight === 0
  }

  #endWhenOver(): void {
    if (this.#isOver()) this.#early.close()
  }
}

function watchedOf({ upstreams }: Config, world: World): Watched[] {
  const watched = upstreams.filter(({ health }) => health.path !== undefined)
  return watched.flatMap(({ name, urls, health }) =>
    urls.map((url) => {
      const { origin } = new URL(url)
      const look = async () => {
        if (!world.isWell(name, origin, health.intervalMs)) throw new Error('not well')
        return ''
      }
      return { upstream: name, origin, health: { look }, intervalMs: health.intervalMs }
    }),
  )
}

function tallyRequest(event: Extract<Event, { kind: 'request' }>, tally: Tally, clock: Clock): void {
  const { id, ref, status, reason, attempts, totalMs } = event
  const upstream = ref?.upstream ?? ''
  tally.request({ number: Number(id), upstream, status, reason, attempts, totalMs, atMs: clock.now() })
}

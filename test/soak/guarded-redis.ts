/** A Redis with two replicas and three sentinels, whose parts a soak may kill and begin again. */

import { setTimeout as pause } from 'node:timers/promises'
import { type RedisServer, startRedis, startSentinel } from '../support/redis.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

/**
 * A master takes writes only while a replica lags at most 1 s, so a master that is cut off from its replicas stops
 * by itself. A failover needs two of the three sentinels.
 */
const SAFE = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '1', '--repl-ping-replica-period', '1']
const QUORUM = 2
const CLOSED = 'Connection is closed.'
const MAX_ANSWER_MS = 3_000
/** After a failover, sentinels start the next one only after twice their failover-timeout. */
const BETWEEN_FAILOVERS_MS = 6_500

/**
 * Sends a command again when its connection closes: sentinels close the client connections of a server whose role they
 * change. Some commands end without an answer or an error, hence the limit of MAX_ANSWER_MS.
 */
async function tell(server: RedisServer | undefined, ...words: string[]): Promise<unknown> {
  for (;;) {
    try {
      const late = pause(MAX_ANSWER_MS, undefined, { ref: false }).then(() => Promise.reject(new Error(CLOSED)))
      return await Promise.race([server?.command(...words), late])
    } catch (error) {
      if (!(error instanceof Error) || error.message !== CLOSED) throw error
    }
  }
}

export class GuardedRedis {
  readonly #scope: Scope
  readonly #nodes = new Map<number, RedisServer>()
  readonly #sentinels: RedisServer[] = []

  readonly #downAfterMs: number

  private constructor(scope: Scope, downAfterMs: number) {
    this.#scope = scope
    this.#downAfterMs = downAfterMs
  }

  /** @param downAfterMs silence after which a sentinel takes the master for down. */
  static async start(scope: Scope, downAfterMs: number): Promise<GuardedRedis> {
    const guarded = new GuardedRedis(scope, downAfterMs)
    const master = await guarded.#startNode(undefined)
    for (const _ of [1, 2]) await guarded.#startNode(master.port)
    await until(() => guarded.#hasReplicas(master.port))
    guarded.#sentinels.push(
      ...(await Promise.all([1, 2, 3].map(() => startSentinel(scope, master.port, { quorum: QUORUM, downAfterMs })))),
    )
    await until(() => guarded.#isSettled())
    return guarded
  }

  /** The place of a store. */
  get place(): string {
    return `redis+sentinel://${this.#sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/main/0`
  }

  /** The port of the master that most sentinels name; 0 while they disagree. */
  async named(): Promise<number> {
    const answers = this.#sentinels.map((sentinel) => tell(sentinel, 'SENTINEL', 'get-master-addr-by-name', 'main'))
    const ports = (await Promise.all(answers)).map((address) => Number((address as string[])[1]))
    return ports.find((port, i) => ports.indexOf(port) !== i) ?? 0
  }

  /** Asks the server at a port. */
  ask(port: number, ...words: string[]): Promise<unknown> {
    return tell(this.#nodes.get(port), ...words)
  }

  async killMaster(): Promise<{ readonly before: number; readonly after: number }> {
    const before = await this.named()
    await this.#nodes.get(before)?.stop()
    await until(async () => ![0, before].includes(await this.named()))
    return { before, after: await this.named() }
  }

  /** Begins a killed master again as a replica. On a busy machine the sentinels may switch once more meanwhile. */
  async beginAgain(port: number, master: number): Promise<void> {
    await this.#startNode(master, port)
    await until(async () => {
      const named = await this.named()
      return named !== 0 && (await this.#hasReplicas(named)) && (await this.#isSettled())
    })
    await pause(BETWEEN_FAILOVERS_MS)
  }

  async killSentinel(i: number): Promise<() => Promise<void>> {
    const sentinel = this.#sentinels[i]
    const master = await this.named()
    await sentinel?.stop()
    return async () => {
      const again = {
        quorum: QUORUM,
        downAfterMs: this.#downAfterMs,
        ...(sentinel === undefined ? {} : { port: sentinel.port }),
      }
      this.#sentinels[i] = await startSentinel(this.#scope, master, again)
      await until(() => this.#isSettled())
    }
  }

  async #startNode(master: number | undefined, port?: number): Promise<RedisServer> {
    const node = await startRedis(this.#scope, {
      config: [...SAFE, ...(master === undefined ? [] : ['--replicaof', '127.0.0.1', `${master}`])],
      ...(port === undefined ? {} : { port }),
    })
    this.#nodes.set(node.port, node)
    return node
  }

  async #hasReplicas(port: number): Promise<boolean> {
    return [...String(await this.ask(port, 'INFO', 'replication')).matchAll(/state=online/g)].length === 2
  }

  /** Whether every sentinel reports a healthy master, both replicas and both other sentinels. */
  async #isSettled(): Promise<boolean> {
    const told = await Promise.all(this.#sentinels.map((sentinel) => tell(sentinel, 'INFO', 'sentinel')))
    return told.every((text) => /status=ok,[^\r]*slaves=[2-9],sentinels=3/.test(String(text)))
  }
}

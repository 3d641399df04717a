/**
 * The sidecars that share limits over Redis. Redis alone is asked; sidecars do not speak with each other. Every question of the
 * data plane is answered within ANSWER_MS: an answer that comes later is taken back.
 */

import { RedisClient } from '../checkpoint/redis/client.ts'
import type { TlsTexts } from '../net/tls/files.ts'
import type { RedisTarget } from '../checkpoint/place.ts'
import type { Script } from '../checkpoint/redis/scripts.ts'
import type { Timer } from '../clock.ts'
import type { Deps } from '../deps.ts'
import type { FleetOperation } from '../events.ts'
import { ANSWER_MS, type PeerNews, type Peers, type TurnsAsk } from '../peers.ts'
import { readNews, writtenNews } from './news.ts'
import { BEAT, PERMITS, PROBE, TURNS } from './scripts.ts'

export type FleetSettings = {
  readonly redis: RedisTarget
  /** Sidecars of the same name share limits. */
  readonly name: string
  /** Number of sidecars before any is known. */
  readonly pods: number
  readonly tls: TlsTexts
  /** Name of this machine or pod, for those who look at the fleet. */
  readonly host: string
}

const MEMBERS = ['ids', 'hosts']

const BEAT_MS = 1_000
/** Lease of a member and of permits: both are given up that long after the end of a sidecar that could not say so. */
const LEASE_MS = 5_000
/** Time in ms for all sidecars to report their calls after Redis has lost a window, and to renew permits after it was away. */
const SETTLE_MS = 2_000
/** Longest time in ms for which a turn is counted beyond its window: calls reach the upstream after different times. */
const MAX_MARGIN_MS = 50

/** Time in ms before the end of a wait at which sockets are read once more. */
const LAST_LOOK_MS = 2

/** What is known of the fleet, for the control plane. */
export type FleetStatus = {
  readonly name: string
  readonly id: string
  readonly isUp: boolean
  readonly pods: number
}

export type Member = { readonly id: string; readonly host: string }

export class Fleet implements Peers {
  readonly #settings: FleetSettings
  readonly #deps: Deps
  readonly #id: string
  readonly #client: RedisClient
  readonly #listening: RedisClient
  readonly #hear: (news: PeerNews) => void
  /** Windows by upstream, as Redis knew them. */
  readonly #epochs = new Map<string, string>()
  /** Ids of turns that came too late, by upstream. */
  readonly #late = new Map<string, string[]>()
  #pods: number
  /** Number of sidecars that was told last. */
  #told: number | undefined
  #isUp: boolean | undefined
  #timer: Timer | undefined
  #isClosed = false

  /** @param hear called with what other sidecars tell. */
  constructor(settings: FleetSettings, hear: (news: PeerNews) => void, deps: Deps) {
    this.#settings = settings
    this.#deps = deps
    this.#hear = hear
    this.#id = deps.newId()
    this.#pods = settings.pods
    this.#client = new RedisClient(settings.redis, settings.tls, deps.clock)
    this.#listening = new RedisClient(settings.redis, settings.tls, deps.clock)
  }

  /** Joins the fleet. Waits for no connection: what cannot be asked is not shared until it can. */
  begin(): void {
    this.#listening.subscribe(this.#channel, (text) => {
      const news = readNews(text, this.#id)
      if (news !== undefined) this.#hear(news)
    })
    for (const client of [this.#listening, this.#client]) client.connect()
    this.#beat()
  }

  get status(): FleetStatus {
    return { name: this.#settings.name, id: this.#id, isUp: this.#isUp ?? false, pods: this.#pods }
  }

  readonly pods = () => this.#pods

  readonly turns: Peers['turns'] = (ask, answered) => {
    const { upstream, rate, want, aheadMs, used, returned } = ask
    const { clock, newId } = this.#deps
    const askedAt = clock.now()
    const late = this.#late.get(upstream) ?? []
    this.#late.delete(upstream)
    const args = [
      rate.requests,
      rate.perMs,
      rate.burst,
      want,
      aheadMs,
      Math.min(MAX_MARGIN_MS, rate.perMs / 50),
      SETTLE_MS,
      this.#id,
      this.#epochs.get(upstream) ?? '',
      newId(),
      used.length,
      ...used.flatMap(({ id, at }) => [id, (askedAt - at).toFixed(3)]),
      ...returned,
      ...late,
    ]
    const keys = this.#keys(`rate:${upstream}`, ['window', 'pacer'])
    this.#ask('turns', TURNS, keys, args, answered, (reply, isLate) => {
      const [epoch, isLost, nextMs, turns] = reply as [Buffer, number, Buffer, Buffer[]]
      this.#epochs.set(upstream, String(epoch))
      const now = clock.now()
      const granted = granting(turns, askedAt, now, ask)
      if (isLate && granted.length > 0) this.#late.set(upstream, [...late, ...granted.map(({ id }) => id)])
      return { turns: granted, nextAt: now + Number(nextMs), isForgotten: isLost === 1 }
    })
  }

  readonly permits: Peers['permits'] = ({ key, limit, have, want }, answered) => {
    const news = (isFree: boolean) => writtenNews(this.#id, { kind: 'permits', key, isFree })
    const args = [this.#id, limit, have, want, LEASE_MS, this.#channel, news(false), news(true), SETTLE_MS]
    const keys = this.#keys(`permits:${key}`, ['holders', 'permits', 'waiting', 'state'])
    // A late answer needs nothing: the next question says how many are held.
    this.#ask('permits', PERMITS, keys, args, answered, (reply) => {
      const [granted, isWanted] = reply as [number, number]
      return { granted, isWanted: isWanted === 1 }
    })
  }

  readonly probe: Peers['probe'] = ({ key, ms }, answered) => {
    const args = [this.#id, Math.ceil(ms)]
    this.#ask('probe', PROBE, this.#keys(`probe:${key}`, ['lease']), args, answered, (reply) =>
      Math.max(0, Number(reply)),
    )
  }

  readonly tell: Peers['tell'] = (news) => {
    const text = writtenNews(this.#id, news)
    this.#counted(
      'tell',
      this.#client.ask((redis) => redis.publish(this.#channel, text)),
    ).catch(() => {
      // `#counted` has told it. News are hints: whoever misses one finds out by itself.
    })
  }

  /** @throws StoreDown */
  async members(): Promise<Member[]> {
    const [, hosts = ''] = this.#keys('members', MEMBERS)
    const all = await this.#client.ask((redis) => redis.hgetall(hosts))
    return Object.entries(all).map(([id, host]) => ({ id, host }))
  }

  /** Permits of a limit by the sidecar that holds them. @throws StoreDown */
  async holders(key: string): Promise<{ readonly id: string; readonly permits: number }[]> {
    const [, permits = ''] = this.#keys(`permits:${key}`, ['holders', 'permits'])
    const all = await this.#client.ask((redis) => redis.hgetall(permits))
    return Object.entries(all).map(([id, count]) => ({ id, permits: Number(count) }))
  }

  /** Leaves the fleet. Permits that are still held are free when their lease ends. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#deps.clock.cancel(this.#timer)
    await this.#member(0).catch(() => {
      // `#counted` has told it. Its place among the members ends with its lease.
    })
    this.#client.close()
    this.#listening.close()
  }

  get #channel(): string {
    return `breakwater:{${this.#settings.name}}:news`
  }

  #keys(what: string, parts: readonly string[]): string[] {
    return parts.map((part) => `breakwater:{${this.#settings.name}:${what}}:${part}`)
  }

  #beat(): void {
    const again = () => {
      if (!this.#isClosed) this.#timer = this.#deps.clock.after(BEAT_MS, () => this.#beat())
    }
    this.#member(LEASE_MS).then((pods) => {
      if (pods !== this.#told) this.#deps.emit({ kind: 'fleet_pods', pods })
      this.#told = pods
      this.#pods = Math.max(1, pods)
      again()
    }, again)
  }

  async #member(ms: number): Promise<number> {
    const keys = this.#keys('members', MEMBERS)
    return Number(await this.#counted('beat', this.#client.run(BEAT, keys, [this.#id, ms, this.#settings.host])))
  }

  /** @param read called with each reply, also with one that came too late. */
  #ask<R>(
    operation: FleetOperation,
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    answered: (answer: R | undefined) => void,
    read: (reply: unknown, isLate: boolean) => R,
  ): void {
    const { clock } = this.#deps
    let isOver = false
    const over = (answer: R | undefined) => {
      if (isOver) return
      isOver = true
      clock.cancel(timer)
      answered(answer)
    }
    // A turn of I/O first: after a pause of this process the answer may wait in its socket.
    let timer = clock.after(ANSWER_MS - LAST_LOOK_MS, () => {
      timer = clock.after(LAST_LOOK_MS, () => over(undefined))
    })
    this.#counted(operation, this.#client.run(script, keys, args)).then(
      (reply) => over(read(reply, isOver)),
      () => over(undefined),
    )
  }

  /** Tells how a call ended, and whether Redis is there. */
  async #counted<R>(operation: FleetOperation, call: Promise<R>): Promise<R> {
    const { clock, emit } = this.#deps
    const since = clock.now()
    let failure: unknown
    try {
      return await call
    } catch (error) {
      failure = error
      throw error
    } finally {
      const isDown = failure !== undefined
      if (!this.#isClosed) {
        emit({ kind: 'fleet_call', operation, isDown, durationMs: clock.now() - since })
        if (this.#isUp !== !isDown) emit({ kind: 'fleet', isUp: !isDown, error: failure })
        this.#isUp = !isDown
      }
    }
  }
}

/** Turns on this process's clock: not before their moment as the server has it, whatever the way of the answer took, nor after their end. */
function granting(turns: readonly Buffer[], askedAt: number, now: number, { aheadMs }: TurnsAsk) {
  const all = []
  for (let i = 0; i + 1 < turns.length; i += 2) {
    const inMs = Number(turns[i + 1])
    all.push({ id: String(turns[i]), at: now + inMs, untilAt: askedAt + inMs + aheadMs })
  }
  return all
}

/**
 * The Redis of a simulated fleet: what the scripts of src/fleet/scripts.ts do, in memory. Tests compare the two. Each answer takes
 * a round trip.
 */

import type { Clock } from '../../clock.ts'
import { ANSWER_MS, type PeerNews, type Peers, type Permits, type PermitsAsk, type TurnsAsk } from '../../peers.ts'
import { type Granted, SharedWindow } from './window.ts'

const LEASE_MS = 5_000

type Holder = { permits: number; untilAt: number }
type Limit = { readonly holders: Map<string, Holder>; readonly waiting: Set<string> }
type Hear = (news: PeerNews) => void

export class SharedRedis {
  readonly #clock: Clock
  readonly #roundTripMs: () => number
  readonly #windows = new Map<string, SharedWindow>()
  /** The windows that each sidecar has asked. */
  readonly #known = new Map<string, SharedWindow>()
  readonly #limits = new Map<string, Limit>()
  readonly #probes = new Map<string, { readonly by: string; readonly untilAt: number }>()
  readonly #hearing = new Map<string, Hear>()
  /** While it is away nothing is answered, and nothing done. */
  isAway = false
  /** Calls so far. */
  calls = 0

  constructor(clock: Clock, roundTripMs: () => number) {
    this.#clock = clock
    this.#roundTripMs = roundTripMs
  }

  /** Forgets everything, as a server that keeps nothing on disk does at a restart. */
  forget(): void {
    this.#windows.clear()
    this.#limits.clear()
    this.#probes.clear()
  }

  /** Adds a sidecar. */
  join(id: string, hear: Hear): Peers {
    this.#hearing.set(id, hear)
    return {
      pods: () => this.#hearing.size,
      turns: (ask, answered) => {
        const askedAt = this.#clock.now()
        this.#ask(
          id,
          () => this.#turns(id, ask, askedAt),
          (granted) => {
            if (granted === undefined) return answered(undefined)
            const now = this.#clock.now()
            const turns = granted.turns.map(({ id: turn, inMs }) => ({
              id: turn,
              at: now + inMs,
              untilAt: askedAt + inMs + ask.aheadMs,
            }))
            answered({ turns, nextAt: now + granted.nextMs, isForgotten: granted.isLost })
          },
        )
      },
      permits: (ask, answered) => this.#ask(id, () => this.#permits(id, ask), answered),
      probe: ({ key, ms }, answered) => this.#ask(id, () => this.#probe(id, key, ms), answered),
      tell: (news) =>
        this.#ask(
          id,
          () => this.#tell(id, news),
          () => undefined,
        ),
    }
  }

  /** A sidecar died, or cannot reach Redis any more. */
  cut(id: string): void {
    this.#hearing.delete(id)
  }

  /** Half of the round trip on each way. An answer that takes longer than ANSWER_MS is none. */
  #ask<R>(id: string, run: () => R, answered: (answer: R | undefined) => void): void {
    const roundTripMs = this.#roundTripMs()
    let isOver = false
    const over = (answer: R | undefined) => {
      if (isOver) return
      isOver = true
      this.#clock.cancel(timer)
      answered(answer)
    }
    const timer = this.#clock.after(ANSWER_MS, () => over(undefined))
    this.#clock.after(roundTripMs / 2, () => {
      if (this.isAway || !this.#hearing.has(id)) return
      this.calls += 1
      const answer = run()
      this.#clock.after(roundTripMs / 2, () => over(answer))
    })
  }

  #turns(id: string, ask: TurnsAsk, askedAt: number): Granted & { readonly isLost: boolean } {
    const { upstream, used } = ask
    let window = this.#windows.get(upstream)
    const known = this.#known.get(`${id} ${upstream}`)
    if (window === undefined) {
      window = new SharedWindow(this.#clock.now(), known !== undefined)
      this.#windows.set(upstream, window)
    }
    this.#known.set(`${id} ${upstream}`, window)
    const ages = used.map(({ id: turn, at }) => ({ id: turn, ageMs: askedAt - at }))
    const isLost = known !== undefined && known !== window
    return { ...window.ask(id, ask, ages, this.#clock.now()), isLost }
  }

  #permits(id: string, { key, limit, have, want }: PermitsAsk): Permits {
    const now = this.#clock.now()
    const { holders, waiting } = this.#limits.get(key) ?? { holders: new Map(), waiting: new Set<string>() }
    this.#limits.set(key, { holders, waiting })
    for (const [holder, { untilAt }] of holders) {
      if (untilAt > now) continue
      holders.delete(holder)
      waiting.delete(holder)
    }
    const before = holders.get(id)?.permits ?? 0
    let total = have
    for (const [holder, { permits }] of holders) if (holder !== id) total += permits
    let granted = 0
    if (want > 0) {
      waiting.add(id)
      granted = Math.max(0, Math.min(want, limit - total - [...waiting].indexOf(id)))
      if (granted < want) this.#tell(id, { kind: 'permits', key, isFree: false })
    }
    if (granted > 0 || want === 0) waiting.delete(id)
    if (have + granted > 0 || want > 0) holders.set(id, { permits: have + granted, untilAt: now + LEASE_MS })
    else holders.delete(id)
    if (have < before && waiting.size > 0) this.#tell(id, { kind: 'permits', key, isFree: true })
    return { granted, isWanted: waiting.size > (waiting.has(id) ? 1 : 0) }
  }

  #probe(id: string, key: string, ms: number): number {
    const now = this.#clock.now()
    const held = this.#probes.get(key)
    if (held !== undefined && held.untilAt > now && held.by !== id) return held.untilAt - now
    this.#probes.set(key, { by: id, untilAt: now + ms })
    return 0
  }

  #tell(from: string, news: PeerNews): void {
    for (const [id, hear] of this.#hearing)
      if (id !== from) this.#clock.after(this.#roundTripMs() / 2, () => this.#hearing.has(id) && hear(news))
  }
}

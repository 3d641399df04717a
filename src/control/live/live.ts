import { type Clock, isoTime, type Timer } from '../../clock.ts'
import type { BreakerNews } from '../../dashboard/shapes.ts'
import type { Event } from '../../events.ts'
import { shownReload } from '../api/operations/config.ts'
import type { Stream } from '../api/operation.ts'
import type { Recent } from './recent.ts'

const SAMPLE_MS = 1_000
/** Interval of a comment in a silent stream, in ms. Proxies and browsers give up on longer silence. */
const HEARTBEAT_MS = 15_000
/** Largest number of open pages. */
const MAX_LISTENERS = 20
/** Latest breaker changes that a new page gets. */
const MAX_CHANGES = 50

/**
 * Server-sent events of the page (WHATWG HTML, section 9.2): first the last five minutes and the latest breaker changes, then
 * each second, breaker changes, reloads and checkpoints. Without listeners there is no timer.
 */
export class Live {
  readonly #recent: Recent
  readonly #clock: Clock
  readonly #listeners = new Set<(text: string) => void>()
  /** Oldest first. */
  readonly #changes: BreakerNews[] = []
  #timer: Timer | undefined
  #lastBeat = 0

  constructor(recent: Recent, clock: Clock) {
    this.#recent = recent
    this.#clock = clock
  }

  /** @returns undefined when too many streams are open. */
  open(): Stream | undefined {
    if (this.#listeners.size >= MAX_LISTENERS) return undefined
    return (push) => {
      this.#listeners.add(push)
      push(message('history', { samples: this.#recent.samples(), breakers: this.#changes }))
      if (this.#timer === undefined) this.#tick()
      return () => {
        this.#listeners.delete(push)
        if (this.#listeners.size > 0 || this.#timer === undefined) return
        this.#clock.cancel(this.#timer)
        this.#timer = undefined
      }
    }
  }

  record(event: Event): void {
    if (event.kind === 'reload') this.tell('reload', shownReload(event))
    if (event.kind !== 'breaker') return
    const { upstream, route = null, endpoint = null, from, to, cause = null, openMs = null } = event
    const at = isoTime(this.#clock.wallNow())
    const change: BreakerNews = { at, upstream, route, endpoint, from, to, cause, open_ms: openMs }
    this.#changes.push(change)
    if (this.#changes.length > MAX_CHANGES) this.#changes.shift()
    this.#push('breaker', change)
  }

  /** @param what fields of the event; its time is added. */
  tell(name: 'reload' | 'checkpoint', what: object): void {
    if (this.#listeners.size > 0) this.#push(name, { at: isoTime(this.#clock.wallNow()), ...what })
  }

  #push(name: string, what: object): void {
    const text = message(name, what)
    for (const push of this.#listeners) push(text)
  }

  #tick(): void {
    this.#timer = this.#clock.after(SAMPLE_MS, () => {
      this.#tick()
      const sample = this.#recent.samples().at(-1)
      const now = this.#clock.now()
      const isBeatDue = now - this.#lastBeat >= HEARTBEAT_MS
      if (isBeatDue) this.#lastBeat = now
      const text = (sample === undefined ? '' : message('sample', sample)) + (isBeatDue ? ': still here\n\n' : '')
      for (const push of this.#listeners) push(text)
    })
  }
}

/** JSON has no line breaks, so one data line holds it. */
const message = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** Calls under a rate of the fleet, noted where they arrive, and the fullest window of them. */

import { createServer } from 'node:http'
import { listening } from '../support/ports.ts'

export const RATED = { requests: 60, per: '5s', burst: 12, queueTimeout: '1s' }
const PER_MS = 5_000
/** Longest difference in ms between the ways of two calls to the upstream, on a busy machine. */
const WAY_MS = 200
/** Time in ms after a sidecar has found the new master in which the others may still use their own share. */
const SETTLE_MS = 2_000

type Span = { readonly from: number; readonly to: number }

export class RatedCalls {
  readonly #at: number[] = []
  /** Times from the kill of a master on in which sidecars use their own shares, or the new master lacks the newest turns. */
  readonly #away: Span[] = []
  readonly #server = createServer((_request, response) => {
    this.#at.push(performance.now())
    response.end('ok')
  })

  /** @returns its port. */
  listen(): Promise<number> {
    return listening(this.#server)
  }

  /** A master was killed at that time, and every sidecar has the new one now. */
  wasAway(from: number): void {
    this.#away.push({ from, to: performance.now() + SETTLE_MS + PER_MS })
  }

  get count(): number {
    return this.#at.length
  }

  /** Most calls within a window: while one Redis answered, and with windows in which there was none. */
  fullest(): { readonly withRedis: number; readonly overFailovers: number } {
    const isDisturbed = (from: number, to: number) => this.#away.some((span) => span.from < to && from < span.to)
    let [withRedis, overFailovers, first] = [0, 0, 0]
    for (const [i, at] of this.#at.entries()) {
      const from = at - (PER_MS - WAY_MS)
      while ((this.#at[first] ?? at) <= from) first += 1
      const calls = i - first + 1
      if (isDisturbed(from, at)) overFailovers = Math.max(overFailovers, calls)
      else withRedis = Math.max(withRedis, calls)
    }
    return { withRedis, overFailovers }
  }

  close(): void {
    this.#server.close()
  }
}

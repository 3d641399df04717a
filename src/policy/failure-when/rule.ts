/** What a route watches jobs by, and the jobs that it has counted. */

import { createHash } from 'node:crypto'

export type JobRule = {
  /** JSON Pointer (RFC 6901) to the status in the body. */
  readonly json: string
  /** Statuses of a failed job, and those of one that is done. Any other is one that goes on. */
  readonly failed: ReadonlySet<string>
  readonly completed: ReadonlySet<string>
}

/** A route's rule, and the ids that have been counted. */
export type JobWatch = {
  readonly rule: JobRule
  /** The id in a path, by which a job counts once; undefined when each response counts. */
  readonly idOf: ((path: string) => string | undefined) | undefined
  readonly counted: SeenIds
}

/** Ids that are remembered: the oldest is forgotten first. */
const MAX_IDS = 10_000
/** A longer id is remembered by its digest, so that 10,000 of them take no more than a few MB. */
const MAX_ID_LENGTH = 200

/** A set that holds no more than the newest so many. */
export class SeenIds {
  readonly #ids = new Set<string>()

  /** @returns whether it is new. */
  add(id: string): boolean {
    const key = id.length <= MAX_ID_LENGTH ? id : createHash('sha256').update(id).digest('base64')
    if (this.#ids.has(key)) return false
    const [oldest] = this.#ids
    if (this.#ids.size >= MAX_IDS && oldest !== undefined) this.#ids.delete(oldest)
    this.#ids.add(key)
    return true
  }
}

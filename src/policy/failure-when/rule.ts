/** How a route recognises failed jobs, and which jobs it has counted. */

import { createHash } from 'node:crypto'

export type JobRule = {
  /** JSON Pointer (RFC 6901) to the status in the body. */
  readonly json: string
  /** Statuses of failed and of completed jobs. A job with another status is still running. */
  readonly failed: ReadonlySet<string>
  readonly completed: ReadonlySet<string>
}

/** A route's rule, and the ids that were counted. */
export type JobWatch = {
  readonly rule: JobRule
  /** Reads the job's id from a path, so that each job counts once; undefined when each response counts. */
  readonly idOf: ((path: string) => string | undefined) | undefined
  readonly counted: SeenIds
}

/** Largest number of remembered ids. The oldest is forgotten first. */
const MAX_IDS = 10_000
/** Longer ids are remembered by their digest, so that 10,000 of them take a few MB at most. */
const MAX_ID_LENGTH = 200

/** A set of the newest ids. */
export class SeenIds {
  readonly #ids = new Set<string>()

  /** @returns whether the id is new. */
  add(id: string): boolean {
    const key = id.length <= MAX_ID_LENGTH ? id : createHash('sha256').update(id).digest('base64')
    if (this.#ids.has(key)) return false
    const [oldest] = this.#ids
    if (this.#ids.size >= MAX_IDS && oldest !== undefined) this.#ids.delete(oldest)
    this.#ids.add(key)
    return true
  }
}

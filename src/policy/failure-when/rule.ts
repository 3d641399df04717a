/** How a route recognises failed jobs, and which jobs it has counted. */

import { createHash } from 'node:crypto'
import type { CompiledCondition, Report } from '../../job/condition.ts'
import type { Asked } from '../../job/match.ts'

export type JobRule = {
  /** Conditions of responses that report a failed and a completed job; undefined when the route has none. */
  readonly failed: CompiledCondition | undefined
  readonly completed: CompiledCondition | undefined
  /** Whether a body that is not JSON may decide. */
  readonly readsText: boolean
  /** Whether the job's id stands in the body. */
  readonly readsId: boolean
  /** Largest body that is read. */
  readonly limitBytes: number
}

/** A route's rule, and the ids that were counted. */
export type JobWatch = {
  readonly rule: JobRule
  /**
   * Reads the job's id, so that each job counts once; undefined when each response counts.
   * @param report undefined when the response is not read.
   */
  readonly idOf: ((request: Asked, report: Report | undefined) => string | undefined) | undefined
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

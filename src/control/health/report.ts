/** make-video's health report: all checks at the same time, each by itself. */

import { type Clock, isoTime } from '../../clock.ts'

/** One check of the report. */
export type Check = {
  /** With `_`, like make-video's own names. */
  readonly name: string
  /** Whether the service is unhealthy without it. */
  readonly critical: boolean
  /** Time in ms after which it counts as failed. */
  readonly limitMs: number
  /** Whether its duration is shown. */
  readonly isTimed: boolean
  /** Whether it calls an upstream that names no path for it. The page does not ask for that by being open. */
  readonly isUnasked: boolean
  /** @returns details for people. Rejects when the check fails: with Degraded, when what it looks at still serves. */
  readonly look: () => Promise<string>
}

/** What a check found wanting, and what does its work nevertheless: little disk space, one of three endpoints away. */
export class Degraded extends Error {}

export type Finding = {
  readonly healthy: boolean
  /** Present and true for what is healthy with a reservation. */
  readonly degraded?: boolean
  readonly details: string
  readonly latency_ms?: number
}

export type HealthDocument = {
  /** `unhealthy` when a critical check fails; `degraded` when another fails, or one has a reservation. */
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly service: string
  readonly version: string
  readonly checks: Readonly<Record<string, Finding>>
  readonly timestamp: string
}

/** Time in ms for which a report is reused, so that many probes cost no more than one. */
const HOLDS_MS = 1_000

export class HealthReport {
  readonly #checks: readonly Check[]
  readonly #about: { readonly service: string; readonly version: string }
  readonly #clock: Clock
  /** Checks that have not returned. A hanging check is not started again. */
  readonly #underWay = new Map<Check, Promise<string>>()
  #latest: { readonly document: Promise<HealthDocument>; readonly at: number } | undefined

  constructor(checks: readonly Check[], about: { service: string; version: string }, clock: Clock) {
    this.#checks = checks
    this.#about = about
    this.#clock = clock
  }

  /** Takes as long as the longest limit of a check at most, whatever hangs. */
  report(): Promise<HealthDocument> {
    const now = this.#clock.now()
    if (this.#latest === undefined || now - this.#latest.at >= HOLDS_MS) {
      this.#latest = { document: this.#make(), at: now }
    }
    return this.#latest.document
  }

  async #make(): Promise<HealthDocument> {
    const found = await Promise.all(this.#checks.map(async (check) => [check, await this.#find(check)] as const))
    const failed = found.filter(([, { healthy }]) => !healthy).map(([check]) => check)
    const isDegraded = failed.length > 0 || found.some(([, { degraded }]) => degraded)
    const status = failed.some(({ critical }) => critical) ? 'unhealthy' : isDegraded ? 'degraded' : 'healthy'
    const checks = Object.fromEntries(found.map(([{ name }, finding]) => [name, finding]))
    return { status, ...this.#about, checks, timestamp: isoTime(this.#clock.wallNow()) }
  }

  async #find(check: Check): Promise<Finding> {
    const startedAt = this.#clock.now()
    const tell = (judgement: Pick<Finding, 'healthy' | 'degraded'>, details: string): Finding => {
      const latency = Math.round((this.#clock.now() - startedAt) * 100) / 100
      return { ...judgement, details, ...(check.isTimed ? { latency_ms: latency } : {}) }
    }
    try {
      return tell({ healthy: true }, await this.#within(check))
    } catch (error) {
      if (error instanceof Degraded) return tell({ healthy: true, degraded: true }, error.message)
      return tell({ healthy: false }, error instanceof Error ? error.message : String(error))
    }
  }

  #within(check: Check): Promise<string> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no answer within ${check.limitMs / 1000}s`))
      const timer = this.#clock.after(check.limitMs, late)
      this.#look(check)
        .finally(() => this.#clock.cancel(timer))
        .then(resolve, reject)
    })
  }

  #look(check: Check): Promise<string> {
    const known = this.#underWay.get(check)
    if (known !== undefined) return known
    const look = check.look().finally(() => this.#underWay.delete(check))
    this.#underWay.set(check, look)
    return look
  }
}

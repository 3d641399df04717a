import type { Deps } from '../../deps.ts'
import type { UnlearnedCause } from '../../events.ts'
import { type Report, isSuccess } from '../../job/condition.ts'
import type { IdInValue } from '../../job/id.ts'
import { pointed } from '../../job/pointer.ts'
import type { ReadId } from '../../job/match.ts'
import type { Exchange, Reply } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import { type BodyReport, reportOf, watchReport } from '../failure-when/report.ts'
import { type StandingRule, standingOf } from './standing.ts'

/** How the id of a new job is read. `ofRequest` and `ofHead` need no body. */
export type Creation = {
  readonly ofRequest: ReadId | undefined
  readonly ofHead: ((report: Report) => string | undefined) | undefined
  readonly ofBody: { readonly pointer: string; readonly read: IdInValue } | undefined
  readonly abandonedAfterMs: number
}

export type JobTracking = {
  /** undefined on a route that creates no jobs. */
  readonly creation: Creation | undefined
  /** JSON Pointer to the id of the job, where only the response has it. */
  readonly idAt: string | undefined
  /** undefined where responses do not report on the job. */
  readonly rule: StandingRule | undefined
  /** Largest body that is read. */
  readonly limitBytes: number
}

/**
 * Learns the ids of new jobs, and tells what responses report of jobs. Reads a body while it streams to the client, and changes
 * and delays nothing: what it cannot read is unknown.
 */
export const tracking = (settings: JobTracking, deps: Deps): Gate => ({
  replied: (exchange, reply) => {
    if (reply.socket === undefined) new Tracked(settings, exchange, deps).look(reply)
  },
})

class Tracked {
  readonly #settings: JobTracking
  readonly #exchange: Exchange
  readonly #deps: Deps

  constructor(settings: JobTracking, exchange: Exchange, deps: Deps) {
    this.#settings = settings
    this.#exchange = exchange
    this.#deps = deps
  }

  look(reply: Reply): void {
    const { creation, idAt, rule, limitBytes } = this.#settings
    const head = reportOf(reply, undefined, limitBytes)
    const isNew = creation !== undefined && this.#exchange.newJob !== undefined && isSuccess(head)
    if (isNew && creation.ofBody === undefined) this.#created(creation, this.#idInHead(creation, head), 'no_id')
    const isIdInBody = isNew && creation.ofBody !== undefined
    if (rule === undefined && idAt === undefined && !isIdInBody) return
    const readsBody = isIdInBody || idAt !== undefined || rule?.readsBody === true
    if (!readsBody) return reply.onClosed((end) => end === 'complete' && this.#reported(head))
    watchReport(reply, limitBytes, (report) => {
      if (isIdInBody) this.#learn(creation, report)
      if (idAt !== undefined) this.#exchange.job ??= textOf(pointed(report.json()?.value, idAt))
      this.#reported(report)
    })
  }

  #idInHead({ ofRequest, ofHead }: Creation, head: Report): string | undefined {
    return ofRequest?.(this.#exchange) ?? ofHead?.(head)
  }

  #learn(creation: Creation, report: BodyReport): void {
    const { ofBody } = creation
    const json = report.json()
    const id = ofBody && json && ofBody.read(pointed(json.value, ofBody.pointer))
    const why = report.isTooLarge() ? 'too_large' : json === undefined ? 'unreadable' : 'no_id'
    this.#created(creation, id, why)
  }

  /** @param why the id is not known, where it is not. */
  #created({ abandonedAfterMs }: Creation, id: string | undefined, why: UnlearnedCause): void {
    const { route: ref, newJob } = this.#exchange
    if (newJob === undefined) return
    if (id === undefined) return this.#deps.emit({ kind: 'job_unlearned', ref, why })
    this.#exchange.job = id
    this.#deps.emit({ kind: 'job_created', ref, id, ...newJob, abandonedAfterMs })
  }

  #reported(report: Report): void {
    const { rule } = this.#settings
    const { route: ref, job: id, startedAt: askedNow } = this.#exchange
    const standing = rule && id !== undefined ? standingOf(report, rule) : undefined
    if (standing === undefined || id === undefined) return
    this.#deps.emit({ kind: 'job_reported', ref, id, askedNow, ...standing })
  }
}

const textOf = (value: unknown) =>
  typeof value === 'number' || (typeof value === 'string' && value !== '') ? String(value) : undefined

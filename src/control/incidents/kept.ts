/** Incidents of the running sidecar: folded from its events, told when they open and close, and kept in the store. */

import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { CheckpointStore, HistoryRow } from '../../checkpoint/store.ts'
import { HISTORY_KEPT } from '../../checkpoint/store.ts'
import type { Clock } from '../../clock.ts'
import { isMap } from '../../config/kinds/setting.ts'
import type { IncidentView, RequestView } from '../../dashboard/shapes.ts'
import type { Emit, Event, IncidentPhase, RequestEvent, RouteRef } from '../../events.ts'
import { Incidents, type Turn } from '../../incidents/fold.ts'
import type { Incident } from '../../incidents/incident.ts'
import { viewOf } from '../../incidents/view.ts'
import { factOf } from './of-event.ts'

type Shelf = Pick<CheckpointStore, 'saveHistory' | 'history'>

/** Time between two writes of the incidents that go on. */
const SAVE_EVERY_MS = 10_000
/** Largest incident that is read back, in bytes. */
const MAX_BYTES = 1024 * 1024

export class KeptIncidents {
  readonly #incidents = new Incidents()
  readonly #clock: Clock
  readonly #emit: Emit
  readonly #stop: () => void
  /** Changed since the last write. */
  readonly #unsaved = new Set<Incident>()
  #shelf: Shelf | undefined
  #isRestored = false
  /** Whether one opened or closed, or the store came back, since the last write: the next second writes it. */
  #hasTurned = false
  #savedAt: number
  /** Signs of those that went on at the last write. What came since is lost by a kill -9, so that the next second writes it, too. */
  #savedSigns = ''
  #saving: Promise<void> = Promise.resolve()
  readonly #onTurn: (phase: IncidentPhase, incident: IncidentView) => void

  /** @param onTurn called with each incident that opens or closes. */
  constructor(clock: Clock, emit: Emit, onTurn: (phase: IncidentPhase, incident: IncidentView) => void) {
    this.#onTurn = onTurn
    this.#clock = clock
    this.#emit = emit
    this.#savedAt = clock.wallNow()
    this.#stop = clock.everySecond(() => this.#pass())
  }

  /** @param at wall-clock ms of the event. */
  record(event: Event, at: number): void {
    if (isWell(event) && this.#incidents.takeWell(event.ref.upstream, at)) return
    // It may have lost what it had, as a Redis does that keeps nothing on a disk.
    if (event.kind === 'store' && event.isUp) this.#hasTurned = true
    const fact = factOf(event, at)
    if (fact !== undefined) this.#tell(this.#incidents.take(fact))
  }

  /** Newest first. */
  all(): IncidentView[] {
    const now = this.#clock.wallNow()
    this.#tell(this.#incidents.pass(now))
    return this.#incidents.all.map((incident) => viewOf(incident, now))
  }

  /** The request of that id, where an incident has it as an example: it is kept as long as the incident. */
  example(id: string): RequestView | undefined {
    for (const { causes } of this.#incidents.all)
      for (const { example } of Object.values(causes)) if (example?.request_id === id) return example
    return undefined
  }

  /** Adds what is kept there, and keeps incidents there from now on. Resolves when that is done, or the store is down. */
  async keepIn(shelf: Shelf): Promise<void> {
    this.#shelf = shelf
    this.#save()
    await this.#saving
  }

  /** Writes the incidents that go on. */
  async close(): Promise<void> {
    this.#stop()
    this.#save()
    await this.#saving
  }

  #pass(): void {
    const now = this.#clock.wallNow()
    this.#tell(this.#incidents.pass(now))
    const isLate = Math.abs(now - this.#savedAt) >= SAVE_EVERY_MS
    if (this.#hasTurned || isLate || signsOf(this.#incidents.open) !== this.#savedSigns) this.#save()
  }

  #tell(turns: readonly Turn[]): void {
    for (const { phase, incident } of turns) {
      this.#unsaved.add(incident)
      this.#hasTurned = true
      const view = viewOf(incident, this.#clock.wallNow())
      this.#emit({
        kind: 'incident',
        phase,
        id: view.id,
        about: view.kind,
        upstream: view.upstream ?? undefined,
        summary: view.summary,
        durationMs: view.duration_s * 1000,
        failed: view.cost.failed,
        refused: view.cost.refused,
        saved: view.cost.saved,
      })
      this.#onTurn(phase, view)
    }
  }

  /** One write at a time. What cannot be written is tried again with the next one; the store itself reports that it is down. */
  #save(): void {
    this.#savedAt = this.#clock.wallNow()
    this.#savedSigns = signsOf(this.#incidents.open)
    this.#hasTurned = false
    const shelf = this.#shelf
    if (shelf === undefined) return
    this.#saving = this.#saving.then(async () => {
      try {
        if (!this.#isRestored) await this.#restore(shelf)
        const some = [...this.#unsaved, ...this.#incidents.open]
        const now = this.#clock.wallNow()
        const rows = [...new Set(some)].map((incident) => rowOf(incident, now))
        if (rows.length === 0) return
        await shelf.saveHistory(rows)
        for (const incident of some) this.#unsaved.delete(incident)
      } catch {
        // They stay in #unsaved, and open ones are written with the next minute.
      }
    })
  }

  async #restore(shelf: Shelf): Promise<void> {
    const now = this.#clock.wallNow()
    const rows = await shelf.history('incident', now - HISTORY_KEPT.incident.ms, now + 1)
    this.#incidents.restore(rows.map(({ bytes }) => incidentOf(bytes)).filter((one) => one !== undefined))
    this.#isRestored = true
  }
}

/** What they are about and their signs, without how often each came. */
const signsOf = (open: readonly Incident[]) =>
  open
    .map(({ id, kind, signs, standing }) => `${id} ${kind} ${signs.length} ${Object.keys(standing).length}`)
    .join('\n')

/** Whether a request succeeded with its first attempt, as nearly all do. */
const isWell = (event: Event): event is RequestEvent & { readonly ref: RouteRef } =>
  event.kind === 'request' &&
  event.ref !== undefined &&
  event.reason === undefined &&
  event.status < 500 &&
  event.attempts === 1

const rowOf = (incident: Incident, now: number): HistoryRow => ({
  kind: 'incident',
  at: incident.startedAt,
  name: incident.id,
  bytes: new Uint8Array(deflateRawSync(JSON.stringify({ ...incident, seenAt: now }))),
})

/** @returns undefined for bytes that are no incident: one that cannot be read is left out. */
function incidentOf(bytes: Uint8Array): Incident | undefined {
  try {
    const value: unknown = JSON.parse(inflateRawSync(bytes, { maxOutputLength: MAX_BYTES }).toString())
    return isIncident(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether it has every part: a later version may write other ones. */
function isIncident(value: unknown): value is Incident {
  if (!isMap(value)) return false
  const { id, kind, startedAt, lastSignAt, signs, jobs, standing, routes, causes, refusals, cost } = value
  return (
    typeof id === 'string' &&
    typeof kind === 'string' &&
    typeof startedAt === 'number' &&
    typeof lastSignAt === 'number' &&
    Array.isArray(signs) &&
    Array.isArray(jobs) &&
    [standing, routes, causes, refusals, cost].every(isMap)
  )
}

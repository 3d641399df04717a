/** Folds over events: log, metrics, figures of the page, and traces when there is a collector. */

import type { DestinationStream } from 'pino'
import type { Config } from '../config/schema.ts'
import type { ConfigWarning } from '../config/warnings.ts'
import type { Deps } from '../deps.ts'
import type { Emit, Snapshot } from '../events.ts'
import { KeptIncidents } from './incidents/kept.ts'
import { Webhook } from './incidents/webhook.ts'
import { Overview, type Plane } from './live/overview.ts'
import { createLog, type Log } from './log/log.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import type { Tracing } from './trace/tracing.ts'

export class Observers {
  readonly log: Log
  readonly metrics: Metrics
  readonly overview: Overview
  readonly incidents: KeptIncidents
  readonly webhook: Webhook
  readonly #deps: Deps
  readonly #unwatch: () => void
  #tracing: Tracing | undefined
  /** Wall-clock ms of the event that is being told: log and incidents have the same time for it. */
  #at = 0

  /**
   * @param logTo where log lines go; undefined for stdout.
   * @param data asked for its state at each scrape, and for what the page may ask of it and tell it.
   */
  constructor(
    { log, service, notify }: Config,
    version: string,
    logTo: DestinationStream | undefined,
    data: { readonly snapshot: () => Snapshot; readonly plane: Plane },
    deps: Deps,
  ) {
    const { clock, emit } = deps
    this.#deps = deps
    this.log = createLog({ ...log, service }, clock, logTo)
    this.metrics = createMetrics({ service, version }, () => data.snapshot())
    this.overview = new Overview(data.plane)
    this.webhook = new Webhook(notify, service, clock, emit)
    this.incidents = new KeptIncidents(clock, emit, (...turn) => this.webhook.tell(...turn))
    this.#unwatch = clock.watch({
      stalled: (ms) => emit({ kind: 'stalled', ms }),
      fault: (error) => emit({ kind: 'fault', error, where: 'timer' }),
    })
  }

  /** Each fold takes an event by itself: see emitTo. */
  get folds(): Emit[] {
    return [
      () => {
        this.#at = this.#deps.clock.wallNow()
      },
      (event) => this.metrics.record(event),
      (event) => this.log.record(event, this.#at),
      (event) => this.overview.record(event),
      (event) => this.incidents.record(event, this.#at),
      (event) => this.#tracing?.record(event),
    ]
  }

  /** Starts tracing when the configuration names a collector. Its code is loaded only then. */
  async startTracing(config: Config, version: string): Promise<void> {
    if (config.tracing.endpoint === '') return
    const { startTracing } = await import('./trace/tracing.ts')
    this.#tracing = startTracing(config, { version, instance: this.#deps.newId() }, this.#deps)
  }

  /** Emits the warnings of a configuration. */
  tellWarnings(warnings: readonly ConfigWarning[]): void {
    for (const { rule, file, line, column, path, reason, fix } of warnings) {
      const place = `${file}:${line}:${column}`
      this.#deps.emit({ kind: 'config_warning', rule, place, setting: path, reason, fix })
    }
  }

  /** Sends the waiting spans. */
  async finish(): Promise<void> {
    await this.#tracing?.finish()
  }

  close(): void {
    this.#unwatch()
    this.overview.close()
    this.webhook.close()
    this.#tracing?.close()
    this.log.flush()
  }
}

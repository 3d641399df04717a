/** The folds over events: log, metrics, the page's figures, and traces where there is a collector. */

import type { DestinationStream } from 'pino'
import type { Config } from '../config/schema.ts'
import type { ConfigWarning } from '../config/warnings.ts'
import type { Deps } from '../deps.ts'
import type { Emit, Snapshot } from '../events.ts'
import { Overview, type Plane } from './live/overview.ts'
import { createLog, type Log } from './log/log.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import type { Tracing } from './trace/tracing.ts'

export class Observers {
  readonly log: Log
  readonly metrics: Metrics
  readonly overview: Overview
  readonly #deps: Deps
  readonly #unwatch: () => void
  #tracing: Tracing | undefined

  /**
   * @param logTo where log lines go; undefined for stdout.
   * @param data asked for its state at each scrape, and for what the page may ask of it and tell it.
   */
  constructor(
    { log, service }: Config,
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
    this.#unwatch = clock.watch({
      stalled: (ms) => emit({ kind: 'stalled', ms }),
      fault: (error) => emit({ kind: 'fault', error, where: 'timer' }),
    })
  }

  /** Each fold takes the event by itself: see emitTo. */
  get folds(): Emit[] {
    return [
      (event) => this.metrics.record(event),
      (event) => this.log.record(event),
      (event) => this.overview.record(event),
      (event) => this.#tracing?.record(event),
    ]
  }

  /** Traces from here on, where the configuration names a collector: the code for it is read only there. */
  async startTracing(config: Config, version: string): Promise<void> {
    if (config.tracing.endpoint === '') return
    const { startTracing } = await import('./trace/tracing.ts')
    this.#tracing = startTracing(config, { version, instance: this.#deps.newId() }, this.#deps)
  }

  /** What `check` says of a configuration, for the log of whoever did not ask it. */
  tellWarnings(warnings: readonly ConfigWarning[]): void {
    for (const { rule, file, line, column, path, reason, fix } of warnings) {
      const place = `${file}:${line}:${column}`
      this.#deps.emit({ kind: 'config_warning', rule, place, setting: path, reason, fix })
    }
  }

  /** Sends the spans that still wait. */
  async finish(): Promise<void> {
    await this.#tracing?.finish()
  }

  close(): void {
    this.#unwatch()
    this.#tracing?.close()
    this.log.flush()
  }
}

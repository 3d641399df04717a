/** Exposes the metrics as Prometheus text (version 0.0.4) or OpenMetrics (1.0). */

import type { Clock } from '../../clock.ts'
import type { Event, Snapshot } from '../../events.ts'
import { createCounts } from './counts.ts'
import { createGauges } from './gauges.ts'
import { METRICS } from './metric-table.ts'
import type { ProcessMetrics } from './process-metrics.ts'
import { Gauge, Registry } from './series.ts'

export type Metrics = {
  /** Takes one event; neither throws nor waits. */
  record(event: Event): void
  /**
   * All series as text, with gauges of this moment.
   * @param accept the Accept field (RFC 9110 section 12.5.1): OpenMetrics 1.0 with exemplars when it names that.
   */
  scrape(accept: string): Promise<{ readonly body: string; readonly contentType: string }>
}

const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8'
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** @param snapshot of the data plane, read at each scrape so that no gauge lags. */
export function createMetrics(
  about: { service: string; version: string },
  snapshot: () => Snapshot,
  clock: Pick<Clock, 'wallNow'>,
): Metrics {
  const registry = new Registry()
  const counts = createCounts(registry, () => new Set(snapshot().upstreams.map(({ name }) => name)), clock)
  const show = createGauges(registry)
  new Gauge(METRICS.buildInfo, registry).set({ ...about, node: process.versions.node }, 1)
  let ofProcess: Promise<ProcessMetrics> | undefined
  const write = async (accept: string) => {
    const isOpen = accept.includes('application/openmetrics-text')
    // A sidecar that nobody scrapes does without prom-client, which is a tenth of the code.
    ofProcess ??= import('./process-metrics.ts').then(({ processMetrics }) => processMetrics('breakwater_'))
    const theirs = await (await ofProcess).text(isOpen)
    show(snapshot())
    const own = registry.text(isOpen)
    counts.scraped()
    return { body: own + (isOpen ? '' : '\n') + theirs, contentType: isOpen ? OPEN_METRICS : PROMETHEUS }
  }
  // prom-client has one content type at a time, so scrapes take turns.
  let last: Promise<unknown> = Promise.resolve()
  return {
    record: counts.record,
    scrape: (accept) => {
      const scrape = last.then(() => write(accept))
      // A failed scrape rejects for its caller. The next one takes its turn all the same.
      last = scrape.catch(() => undefined)
      return scrape
    },
  }
}

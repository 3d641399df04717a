/** Exposes the metrics as Prometheus text (version 0.0.4) or OpenMetrics (1.0). */

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Event, Snapshot } from '../../events.ts'
import { createCounts } from './counts.ts'
import { type AnyRegistry, createGauges } from './gauges.ts'
import { METRICS } from './metric-table.ts'

export type Metrics = {
  /** Takes one event; neither throws nor waits. */
  record(event: Event): void
  /**
   * All series as text, with gauges of this moment.
   * @param accept the Accept field (RFC 9110 section 12.5.1): OpenMetrics 1.0 with exemplars when it names that.
   */
  scrape(accept: string): Promise<{ readonly body: string; readonly contentType: string }>
}

/** @param snapshot of the data plane, read at each scrape so that no gauge lags. */
export function createMetrics(about: { service: string; version: string }, snapshot: () => Snapshot): Metrics {
  const registry: AnyRegistry = new Registry()
  // prom-client keeps exemplars for OpenMetrics only.
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  collectDefaultMetrics({ register: registry, prefix: 'breakwater_' })
  const counts = createCounts(registry, () => new Set(snapshot().upstreams.map(({ name }) => name)))
  const show = createGauges(registry)
  new Gauge({ ...METRICS.buildInfo, registers: [registry] }).set({ ...about, node: process.versions.node }, 1)
  const names = registry.getMetricsAsArray().map((metric) => ({ metric, name: metric.name }))
  const write = async (accept: string) => {
    const isOpen = accept.includes('application/openmetrics-text')
    registry.setContentType(isOpen ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE)
    show(snapshot())
    // prom-client writes Nan, which strict parsers refuse, for a mean of no samples.
    const body = (await registry.metrics()).replaceAll(' Nan\n', ' NaN\n')
    counts.scraped()
    // For OpenMetrics prom-client removes `_total` from its counters' names permanently. The text format needs it.
    for (const { metric, name } of names) metric.name = name
    return { body, contentType: registry.contentType }
  }
  // The registry has one content type at a time, so scrapes take turns.
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

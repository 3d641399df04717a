/** Metrics of the process: CPU time, memory, event-loop lag, garbage collection. Loaded by the first scrape. */

import { collectDefaultMetrics, type OpenMetricsContentType, type PrometheusContentType, Registry } from 'prom-client'

export type ProcessMetrics = {
  /** @param isOpen whether for OpenMetrics, with its end. */
  text(isOpen: boolean): Promise<string>
}

/** @param prefix of the metrics' names. */
export function processMetrics(prefix: string): ProcessMetrics {
  const registry = new Registry<PrometheusContentType | OpenMetricsContentType>()
  collectDefaultMetrics({ register: registry, prefix })
  const names = registry.getMetricsAsArray().map((metric) => ({ metric, name: metric.name }))
  return {
    text: async (isOpen) => {
      registry.setContentType(isOpen ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE)
      // prom-client writes Nan, which strict parsers refuse, for a mean of no samples.
      const text = (await registry.metrics()).replaceAll(' Nan\n', ' NaN\n')
      // For OpenMetrics prom-client removes `_total` from its counters' names permanently. The text format needs it.
      for (const { metric, name } of names) metric.name = name
      return text
    },
  }
}

import { METRICS } from '../../src/control/metrics/metric-table.ts'

type Metrics = typeof METRICS
/** Keys of `METRICS` whose series have one value; a histogram has many. */
export type SampledMetric = { [M in keyof Metrics]: Metrics[M]['type'] extends 'histogram' ? never : M }[keyof Metrics]
/** A value for each label of the metric; nothing for a metric without labels. */
export type Labels<M extends SampledMetric> = Metrics[M]['labelNames'] extends readonly []
  ? []
  : [labels: Readonly<Record<Metrics[M]['labelNames'][number], string>>]

/**
 * The name of one series as `/metrics` writes it.
 * @example metric('shared', { upstream: 'web', route: '*', by: 'hold' }) // breakwater_shared_total{upstream="web",route="*",by="hold"}
 */
export function metric<M extends SampledMetric>(key: M, ...labels: Labels<M>): string {
  const { name, labelNames } = METRICS[key]
  const values = new Map<string, string>(labels.flatMap((given) => Object.entries(given)))
  const pairs = labelNames.map((label) => `${label}="${values.get(label)}"`)
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
}

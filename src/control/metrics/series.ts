/**
 * Counters, gauges and histograms with bound labels, and their text: Prometheus 0.0.4, or OpenMetrics 1.0 with exemplars. Each
 * event touches a number or two. prom-client looks its series up for each observation, which was a twentieth of the CPU time.
 */

type Definition<L extends string> = {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly L[]
}

export type Labels<L extends string> = { readonly [K in L]: string }

/** A series as long as it has a value. */
class Series {
  /** `a="b",c="d"`; '' without labels. */
  readonly labels: string
  /** Value of the label `upstream`; undefined without. */
  readonly upstream: string | undefined
  isShown = false

  constructor(labels: string, upstream: string | undefined) {
    this.labels = labels
    this.upstream = upstream
  }
}

abstract class Metric<L extends string, S extends Series> {
  readonly definition: Definition<L>
  readonly #series = new Map<string, S>()

  constructor(definition: Definition<L>, registry: Registry) {
    this.definition = definition
    registry.add(this)
    // A series without labels is there from the start, so that its first change is an increase.
    if (definition.labelNames.length === 0) this.attached(this.labels({} as Labels<L>))
  }

  protected abstract fresh(labels: string, upstream: string | undefined): S
  /** Lines of a series. @param name of the metric's samples. @param isOpen whether for OpenMetrics. */
  protected abstract lines(series: S, name: string, isOpen: boolean): string
  abstract readonly type: 'counter' | 'gauge' | 'histogram'

  /** The series with these labels. It is shown from its first change on. */
  labels(labels: Labels<L>): S {
    const text = this.definition.labelNames.map((name) => `${name}="${escapedLabel(labels[name])}"`).join(',')
    const known = this.#series.get(text)
    const { upstream }: { readonly upstream?: string } = labels
    return known ?? this.fresh(text, upstream)
  }

  /** The series to change instead of one that is not shown: another one of the same labels may be shown by now. */
  attached(series: S): S {
    const known = this.#series.get(series.labels)
    if (known !== undefined) return known
    series.isShown = true
    this.#series.set(series.labels, series)
    return series
  }

  /** Removes all series. */
  reset(): void {
    for (const series of this.#series.values()) this.#remove(series)
  }

  /** Removes the series of other upstreams. */
  keepUpstreams(present: ReadonlySet<string>): void {
    for (const series of this.#series.values())
      if (series.upstream !== undefined && !present.has(series.upstream)) this.#remove(series)
  }

  #remove(series: S): void {
    series.isShown = false
    this.#series.delete(series.labels)
    this.cleared(series)
  }

  protected abstract cleared(series: S): void

  text(isOpen: boolean): string {
    const { name, help } = this.definition
    const family = isOpen && this.type === 'counter' ? name.replace(/_total$/, '') : name
    let text = `# HELP ${family} ${escaped(help)}\n# TYPE ${family} ${this.type}\n`
    for (const series of this.#series.values()) text += this.lines(series, name, isOpen)
    return text
  }
}

class NumberSeries extends Series {
  readonly #metric: Metric<string, NumberSeries>
  value = 0

  constructor(labels: string, upstream: string | undefined, metric: Metric<string, NumberSeries>) {
    super(labels, upstream)
    this.#metric = metric
  }

  inc(by = 1): void {
    const series = this.isShown ? this : this.#metric.attached(this)
    series.value += by
  }

  set(value: number): void {
    const series = this.isShown ? this : this.#metric.attached(this)
    series.value = value
  }
}

abstract class NumberMetric<L extends string> extends Metric<L, NumberSeries> {
  protected fresh(labels: string, upstream: string | undefined): NumberSeries {
    return new NumberSeries(labels, upstream, this)
  }

  protected cleared(series: NumberSeries): void {
    series.value = 0
  }

  protected lines({ labels, value }: NumberSeries, name: string): string {
    return sample(name, labels, value)
  }
}

export class Counter<L extends string> extends NumberMetric<L> {
  readonly type = 'counter'

  inc(labels: Labels<L>, by = 1): void {
    this.labels(labels).inc(by)
  }
}

export class Gauge<L extends string> extends NumberMetric<L> {
  readonly type = 'gauge'

  set(labels: Labels<L>, value: number): void {
    this.labels(labels).set(value)
  }
}

type Exemplar = { readonly labels: string; readonly value: number; readonly wallMs: number }

class HistogramSeries extends Series {
  readonly #metric: Histogram<string>
  /** Observations in each bucket; the last one has no bound. */
  readonly counts: Float64Array
  sum = 0
  /** By bucket. */
  exemplars: Exemplar[] | undefined

  constructor(labels: string, upstream: string | undefined, metric: Histogram<string>) {
    super(labels, upstream)
    this.#metric = metric
    this.counts = new Float64Array(metric.bounds.length + 1)
  }

  observe(value: number): void {
    this.observeIn(this.bucketOf(value), value)
  }

  bucketOf(value: number): number {
    return this.#metric.bucketOf(value)
  }

  observeIn(at: number, value: number): void {
    const series = this.isShown ? this : this.#metric.attached(this)
    series.counts[at] = (series.counts[at] ?? 0) + 1
    series.sum += value
  }

  /** @param labels names and values of the exemplar, 128 characters at most. */
  observeWithExemplar(value: number, labels: Readonly<Record<string, string>>, wallMs: number): void {
    this.observe(value)
    const series = this.isShown ? this : this.#metric.attached(this)
    const text = Object.entries(labels).map(([name, one]) => `${name}="${escapedLabel(one)}"`)
    series.exemplars ??= []
    series.exemplars[this.#metric.bucketOf(value)] = { labels: text.join(','), value, wallMs }
  }
}

export class Histogram<L extends string> extends Metric<L, HistogramSeries> {
  readonly type = 'histogram'
  /** Upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[]

  constructor(definition: Definition<L>, bounds: readonly number[], registry: Registry) {
    super(definition, registry)
    this.bounds = bounds
  }

  bucketOf(value: number): number {
    const { bounds } = this
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? 0)) at += 1
    return at
  }

  observe(labels: Labels<L>, value: number): void {
    this.labels(labels).observe(value)
  }

  protected fresh(labels: string, upstream: string | undefined): HistogramSeries {
    return new HistogramSeries(labels, upstream, this)
  }

  protected cleared(series: HistogramSeries): void {
    series.counts.fill(0)
    series.sum = 0
    series.exemplars = undefined
  }

  protected lines({ labels, counts, sum, exemplars }: HistogramSeries, name: string, isOpen: boolean): string {
    let text = ''
    let count = 0
    for (const [at, inBucket] of counts.entries()) {
      count += inBucket
      const bound = `le="${this.bounds[at] ?? '+Inf'}"`
      const exemplar = isOpen ? exemplars?.[at] : undefined
      text += sample(`${name}_bucket`, labels === '' ? bound : `${bound},${labels}`, count, exemplar)
    }
    return text + sample(`${name}_sum`, labels, sum) + sample(`${name}_count`, labels, count)
  }
}

type Shown = { text(isOpen: boolean): string }

/** Metrics in the order in which they were made. */
export class Registry {
  readonly #metrics: Shown[] = []

  add(metric: Shown): void {
    this.#metrics.push(metric)
  }

  /** @param isOpen whether for OpenMetrics; without its end. */
  text(isOpen: boolean): string {
    return this.#metrics.map((metric) => metric.text(isOpen)).join(isOpen ? '' : '\n')
  }
}

function sample(name: string, labels: string, value: number, exemplar?: Exemplar): string {
  const all = labels === '' ? '' : `{${labels}}`
  if (exemplar === undefined) return `${name}${all} ${written(value)}\n`
  const { labels: own, value: seen, wallMs } = exemplar
  return `${name}${all} ${written(value)} # {${own}} ${written(seen)} ${wallMs / 1000}\n`
}

const written = (value: number) =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'

const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapedLabel = (value: string) => escaped(value).replaceAll('"', '\\"')

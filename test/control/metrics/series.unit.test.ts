import { expect, test } from 'vitest'
import { Counter, Gauge, Histogram, Registry } from '../../../src/control/metrics/series.ts'

const OF_UPSTREAM = { help: 'A help', labelNames: ['upstream'] } as const

test('series: a bound series is shown from its first change on', () => {
  const registry = new Registry()
  const counter = new Counter({ ...OF_UPSTREAM, name: 'calls_total' }, registry)
  const bound = counter.labels({ upstream: 'a' })
  expect(registry.text(false)).not.toContain('calls_total{')
  bound.inc()
  bound.inc(2)
  expect(registry.text(false)).toContain('# TYPE calls_total counter\ncalls_total{upstream="a"} 3\n')
})

test('series: one that was removed counts anew, together with another binding of its labels', () => {
  const registry = new Registry()
  const counter = new Counter({ ...OF_UPSTREAM, name: 'calls_total' }, registry)
  const [before, other] = [counter.labels({ upstream: 'a' }), counter.labels({ upstream: 'b' })]
  before.inc(5)
  other.inc()
  counter.keepUpstreams(new Set(['b']))
  expect(registry.text(false)).not.toContain('"a"')
  counter.labels({ upstream: 'a' }).inc()
  before.inc()
  expect(registry.text(false)).toContain('calls_total{upstream="a"} 2\n')
  expect(registry.text(false)).toContain('calls_total{upstream="b"} 1\n')
})

test('series: without labels it is shown from the start; a gauge that was reset is not', () => {
  const registry = new Registry()
  new Counter({ name: 'stalls_total', help: 'h', labelNames: [] }, registry)
  const gauge = new Gauge({ ...OF_UPSTREAM, name: 'open' }, registry)
  gauge.set({ upstream: 'a' }, 2)
  gauge.reset()
  expect(registry.text(false)).toBe(
    '# HELP stalls_total h\n# TYPE stalls_total counter\nstalls_total 0\n\n# HELP open A help\n# TYPE open gauge\n',
  )
})

test('series: labels and help are escaped', () => {
  const registry = new Registry()
  const gauge = new Gauge({ name: 'g', help: 'a\\b\nc', labelNames: ['upstream'] }, registry)
  gauge.set({ upstream: 'a"b\\c\nd' }, 1)
  expect(registry.text(false)).toContain('# HELP g a\\\\b\\nc\n')
  expect(registry.text(false)).toContain('g{upstream="a\\"b\\\\c\\nd"} 1\n')
})

test('histogram: buckets add up, a bound belongs to its bucket, OpenMetrics shows the exemplar', () => {
  const registry = new Registry()
  const histogram = new Histogram({ ...OF_UPSTREAM, name: 's' }, [0.1, 1], registry)
  const bound = histogram.labels({ upstream: 'a' })
  for (const seconds of [0.1, 0.5, 7]) bound.observe(seconds)
  bound.observeWithExemplar(0.25, { request_id: 'r' }, 1_500)
  const lines = (isOpen: boolean) => registry.text(isOpen).split('\n').slice(2, 7)
  expect(lines(false)).toEqual([
    's_bucket{le="0.1",upstream="a"} 1',
    's_bucket{le="1",upstream="a"} 3',
    's_bucket{le="+Inf",upstream="a"} 4',
    's_sum{upstream="a"} 7.85',
    's_count{upstream="a"} 4',
  ])
  expect(lines(true)[1]).toBe('s_bucket{le="1",upstream="a"} 3 # {request_id="r"} 0.25 1.5')
})

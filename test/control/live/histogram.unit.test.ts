import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Histogram } from '../../../src/control/live/histogram.ts'

test('histogram: a percentile is off by at most 1 %', () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 1e7, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.9, 0.99), (all, share) => {
      const histogram = new Histogram(1.02)
      for (const ms of all) histogram.add(ms)
      const exact = all.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * all.length) - 1)] ?? 0
      expect(Math.abs((histogram.percentile(share) ?? 0) / exact - 1)).toBeLessThan(0.0101)
    }),
  )
})

test('histogram: without a duration there is no percentile', () => {
  expect(new Histogram(1.02).percentile(0.5)).toBeUndefined()
})

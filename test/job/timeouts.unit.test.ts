import fc from 'fast-check'
import { expect, test } from 'vitest'
import { computedMs, computeTimeout, type TimeoutRules } from '../../src/job/timeouts.ts'

const S = 1000
const clamp = { minMs: 30 * S, maxMs: 3600 * S }
const none = { baseMs: 0, per: {}, times: {}, sum: [], ...clamp }
const portrait = { aspect_ratio: { '9:16': 1.5 } }

/** The timeout rules of make-video. */
const RULES: TimeoutRules = {
  download: { ...none, baseMs: 60 * S, per: { shorts_count: 4 * S }, times: portrait },
  validation: { ...none, per: { shorts_count: 2 * S } },
  build: { ...none, baseMs: 60 * S, per: { audio_duration: 1.5 * S }, times: portrait },
  total: { ...none, sum: ['download', 'validation', 'build'] },
}

const secondsOf = (shorts_count: number, audio_duration: number, aspect_ratio: string) =>
  ['download', 'validation', 'build', 'total'].map(
    (name) => computeTimeout(name, RULES, { shorts_count, audio_duration, aspect_ratio }).seconds,
  )

test.each([
  [10, 60, '16:9', [100, 30, 150, 270]],
  [10, 60, '9:16', [150, 30, 225, 395]],
  [50, 300, '9:16', [390, 100, 765, 1255]],
  [1, 5, '1:1', [64, 30, 67, 133]],
  [0, 60, '16:9', [60, 30, 150, 210]],
  [0, 0, '16:9', [60, 30, 60, 120]],
  [500, 3600, '9:16', [3090, 1000, 3600, 3600]],
  [1e6, 1e6, '16:9', [3600, 3600, 3600, 3600]],
  [-100, 0, '16:9', [30, 30, 60, 30]],
])('computeTimeout: %d shorts, %d s of audio, %s', (shorts, audio, ratio, expected) => {
  expect(secondsOf(shorts, audio, ratio)).toEqual(expected)
})

test('computeTimeout: any job shape gives the result of an independent formula', () => {
  const shape = fc.tuple(
    fc.integer({ min: 0, max: 10_000 }),
    fc.integer({ min: 0, max: 86_400 }),
    fc.constantFrom('9:16', '16:9', '1:1'),
  )
  fc.assert(
    fc.property(shape, ([n, a, ratio]) => {
      const m = ratio === '9:16' ? 1.5 : 1
      const raw = [(60 + 4 * n) * m, 2 * n, (60 + 1.5 * a) * m]
      const whole = (value: number) => Math.floor(Math.max(30, Math.min(3600, value)))
      expect(secondsOf(n, a, ratio)).toEqual([...raw.map(whole), whole(raw.reduce((sum, value) => sum + value, 0))])
    }),
  )
})

test('computeTimeout: lists the terms of each value', () => {
  const inputs = { shorts_count: 10, audio_duration: 60, aspect_ratio: '9:16' }
  expect(computeTimeout('download', RULES, inputs).terms).toEqual([
    'base 60 s',
    'shorts_count 10 · 4 s = 40 s',
    '× 1.5 (aspect_ratio 9:16)',
  ])
  expect(computeTimeout('validation', RULES, inputs).terms).toEqual(['shorts_count 10 · 2 s = 20 s', 'at least 30 s'])
  expect(computeTimeout('total', RULES, inputs).terms).toEqual(['download 150 s', 'validation 20 s', 'build 225 s'])
})

test('computedMs: divides by an input, and does not divide where the input is 0', () => {
  expect(computedMs('download', 'shorts_count', RULES, { shorts_count: 10 })).toBe(10_000)
  expect(computedMs('download', 'shorts_count', RULES, { shorts_count: 0 })).toBe(60_000)
  expect(computedMs('download', undefined, RULES, { shorts_count: 10 })).toBe(100_000)
})

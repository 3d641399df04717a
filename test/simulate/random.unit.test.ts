import { expect, test } from 'vitest'
import { exponential, generator, normal, seeded } from '../../src/simulate/random.ts'

const numbers = (count: number, random: () => number) => Array.from({ length: count }, random)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

test('random: from the state 1, 2, 3, 4 it gives the reference numbers of its authors', () => {
  const words = numbers(4, generator(1, 2, 3, 4)).map((value) => value * 2 ** 32)
  expect(words).toEqual([11_520, 0, 5_927_040, 70_819_200])
})

test('random: the same seed gives the same sequence, another seed another one', () => {
  expect(numbers(100, seeded(7))).toEqual(numbers(100, seeded(7)))
  expect(numbers(100, seeded(7))).not.toEqual(numbers(100, seeded(8)))
})

test('random: uniform, exponential and normal numbers have the right mean, normal ones also the variance', () => {
  const random = seeded(1)
  expect(mean(numbers(100_000, random))).toBeCloseTo(0.5, 2)
  expect(mean(numbers(100_000, () => exponential(20, random))) / 20).toBeCloseTo(1, 1)
  const drawn = numbers(100_000, () => normal(random))
  expect(mean(drawn)).toBeCloseTo(0, 1)
  expect(mean(drawn.map((value) => value ** 2))).toBeCloseTo(1, 1)
})

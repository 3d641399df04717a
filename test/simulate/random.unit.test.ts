import { expect, test } from 'vitest'
import { exponential, generator, normal, seeded } from '../../src/simulate/random.ts'

const numbers = (count: number, random: () => number) => Array.from({ length: count }, random)
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

test("random: gives its authors' numbers from the state 1, 2, 3, 4", () => {
  const words = numbers(4, generator(1, 2, 3, 4)).map((value) => value * 2 ** 32)
  expect(words).toEqual([11_520, 0, 5_927_040, 70_819_200])
})

test('random: a seed gives one sequence, another seed another', () => {
  expect(numbers(100, seeded(7))).toEqual(numbers(100, seeded(7)))
  expect(numbers(100, seeded(7))).not.toEqual(numbers(100, seeded(8)))
})

test('random: distributions have their mean and spread', () => {
  const random = seeded(1)
  expect(mean(numbers(100_000, random))).toBeCloseTo(0.5, 2)
  expect(mean(numbers(100_000, () => exponential(20, random))) / 20).toBeCloseTo(1, 1)
  const drawn = numbers(100_000, () => normal(random))
  expect(mean(drawn)).toBeCloseTo(0, 1)
  expect(mean(drawn.map((value) => value ** 2))).toBeCloseTo(1, 1)
})

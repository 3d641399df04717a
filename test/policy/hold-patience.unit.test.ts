import { expect, test } from 'vitest'
import { heldMs, noteAnswer, noteLeave, type Patiences, told } from '../../src/policy/hold/patience.ts'

const HOLD = { upToMs: 20_000, everyMs: 2_000 }

/** Plays leaves (ms waited, monotonic ms of the leave) of one client. */
function played(...leaves: readonly (readonly [waitedMs: number, now: number])[]) {
  const all: Patiences = new Map()
  const known = leaves.map(([waitedMs, now]) => noteLeave(all, 'sdk', waitedMs, now))
  return { all, known }
}

test('patience: the second leave after about the same time makes it known', () => {
  const { all, known } = played([3_000, 3_000], [3_020, 7_000])
  expect(known).toEqual([undefined, 3_000])
  expect(heldMs(all, 'sdk', HOLD)).toBe(2_700)
  expect(heldMs(all, 'another', HOLD)).toBe(20_000)
})

test.each([
  [
    'leaves after different times',
    [
      [3_000, 3_000],
      [9_000, 20_000],
      [3_000, 30_000],
    ],
  ],
  [
    'a program that ends with all its polls',
    [
      [3_000, 3_000],
      [3_050, 3_000],
      [3_100, 3_001],
    ],
  ],
] as const)('patience: it stays unknown: %s', (_, leaves) => {
  expect(played(...leaves).known.every((one) => one === undefined)).toBe(true)
})

test('patience: many polls at once that time out together make it known at their second time', () => {
  const { known } = played([3_000, 3_000], [3_000, 3_000], [3_010, 6_100], [3_010, 6_100])
  expect(known).toEqual([undefined, undefined, 3_000, undefined])
})

test('patience: a client that waits longer is not impatient', () => {
  const { all } = played([3_000, 3_000])
  noteAnswer(all, 'sdk', 8_000)
  expect(noteLeave(all, 'sdk', 3_000, 20_000)).toBeUndefined()
  expect(noteLeave(all, 'sdk', 3_000, 24_000)).toBe(3_000)
  noteAnswer(all, 'sdk', 2_700)
  expect(heldMs(all, 'sdk', HOLD)).toBe(2_700)
  noteAnswer(all, 'sdk', 5_000)
  expect(heldMs(all, 'sdk', HOLD)).toBe(20_000)
})

test('patience: a client that leaves ever sooner is held for less', () => {
  const { all, known } = played([9_000, 9_000], [9_000, 20_000], [4_000, 30_000], [4_000, 40_000])
  expect(known).toEqual([undefined, 9_000, undefined, 4_000])
  expect(heldMs(all, 'sdk', HOLD)).toBe(3_600)
})

test('patience: where no second poll fits, a client is not held', () => {
  const { all } = played([2_100, 2_100], [2_100, 6_000])
  expect(told(all, 'sdk', 2_100, HOLD)).toEqual({
    client: 'sdk',
    patienceMs: 2_100,
    heldMs: 0,
    reason:
      'clients leave a held poll after 2.1s, and hold.upTo is 20s: they are not held from now on, since no second poll fits',
    fix: 'a shorter every, or clients that wait longer',
  })
})

test('patience: a margin of a second is enough for a long one', () => {
  const { all } = played([15_000, 15_000], [15_000, 40_000])
  expect(heldMs(all, 'sdk', HOLD)).toBe(14_000)
})

test('patience: sixteen User-Agents are told apart, those used longest ago are forgotten', () => {
  const { all } = played([3_000, 3_000], [3_000, 7_000])
  for (let i = 0; i < 16; i += 1) noteLeave(all, `agent ${i}`, 1_000, i)
  expect([all.size, heldMs(all, 'sdk', HOLD)]).toEqual([16, 20_000])
})

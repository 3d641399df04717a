/**
 * Nothing spread the calls of a rate: 30 at once used up the window of 30 within 15 s, and of the calls that followed at one a
 * second, half of what the rate allows, ten of ten were refused for 10 s.
 */

import { expect, test } from 'vitest'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, seeded, virtualSidecar } from '../support/virtual.ts'

test.for([0, 15_000])('rate: calls at half of it are sent after a burst, %d ms after the start', async (quietMs) => {
  const clock = new VirtualClock(0)
  const { get } = virtualSidecar(
    clock,
    { rate: { requests: 30, per: '15s' }, timeout: { attempt: '5s', total: '5s' } },
    { 'http://a': () => answer(200, 1) },
    seeded(1),
  )
  await clock.advance(quietMs)
  const burst = Array.from({ length: 30 }, () => get('/burst'))
  await clock.advance(0)
  const steady: Promise<Got>[] = []
  for (let second = 1; second <= 20; second += 1) {
    await clock.advance(1_000)
    steady.push(get('/steady'))
    await clock.advance(0)
  }
  await clock.advance(10_000)
  expect(new Set((await Promise.all(steady)).map(({ outcome }) => outcome))).toEqual(new Set([200]))
  const refused = (await Promise.all(burst)).filter(({ outcome }) => outcome === 'rate')
  expect(refused.map(({ ms }) => ms)).toEqual(Array(refused.length).fill(0))
})

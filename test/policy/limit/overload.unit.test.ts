import { expect, test } from 'vitest'
import type { Got } from '../../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

const WORKERS = 8
const WORK_MS = 50
const PEAK_PER_S = (WORKERS * 1_000) / WORK_MS

/** Eight workers of 50 ms; calls wait for one of them, in order, also those whose client has left. */
function workers(clock: { now(): number }): Service {
  const freeAt = Array<number>(WORKERS).fill(0)
  return () => {
    const at = freeAt.indexOf(Math.min(...freeAt))
    const startsAt = Math.max(clock.now(), freeAt[at] ?? 0)
    freeAt[at] = startsAt + WORK_MS
    return answer(200, startsAt + WORK_MS - clock.now())
  }
}

/** Three times what the upstream can do, for so long. @returns goodput of the last ten seconds, as a share of the peak. */
async function overloaded(seconds: number, timeoutMs: number | undefined, leavesAfterMs: number | undefined) {
  const clock = new VirtualClock(0)
  const { get } = virtualSidecar(clock, {}, { 'http://a': workers(clock) }, seeded(4))
  const asked: Promise<Got & { readonly at: number }>[] = []
  const stepMs = 1_000 / (3 * PEAK_PER_S)
  for (let i = 0; i * stepMs < seconds * 1_000; i += 1) {
    const at = clock.now()
    asked.push(get('/x', timeoutMs, leavesAfterMs).then((got) => ({ ...got, at })))
    await clock.advance(stepMs)
  }
  await clock.advance(75_000)
  const results = (await Promise.all(asked)).filter(({ at }) => at >= (seconds - 10) * 1_000)
  return {
    goodput: results.filter(({ outcome }) => outcome === 200).length / (10 * PEAK_PER_S),
    refusedMs: results.filter(({ outcome }) => typeof outcome === 'string').map(({ ms }) => ms),
  }
}

test.for([
  ['do not say how long they wait, and leave after 2 s', undefined, 2_000],
  ['say that they wait 2 s', 2_000, 2_000],
  ['leave after 1 s', undefined, 1_000],
] as const)(
  'overload: at three times the capacity goodput stays over nine tenths of the peak where clients %s',
  async ([, timeoutMs, leavesAfterMs]) => {
    const { goodput, refusedMs } = await overloaded(20, timeoutMs, leavesAfterMs)
    expect(goodput).toBeGreaterThan(0.9)
    // Nobody who says how long it waits is refused when that is over.
    if (timeoutMs !== undefined) expect(Math.max(...refusedMs)).toBeLessThan(timeoutMs)
  },
)

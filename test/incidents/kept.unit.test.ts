import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { HistoryRow } from '../../src/checkpoint/store.ts'
import { KeptIncidents } from '../../src/control/incidents/kept.ts'
import { breakerEvent } from '../control/samples.ts'
import { fakeClock } from '../support/fake-clock.ts'

test('incidents: each new sign is kept within a second, and what goes on without one every ten', async () => {
  const clock = fakeClock()
  const written: number[] = []
  const kept = new KeptIncidents(
    clock,
    () => {},
    () => {},
  )
  await kept.keepIn({
    saveHistory: async (rows: readonly HistoryRow[]) => {
      written.push(rows.length)
    },
    history: async () => [],
  })
  const writesIn = async (ms: number) => {
    const before = written.length
    await clock.advance(ms)
    await turn()
    return written.length - before
  }
  kept.record(breakerEvent(), clock.wallNow())
  expect(await writesIn(1_000)).toBe(1)
  expect(await writesIn(5_000)).toBe(0)
  kept.record(breakerEvent({ route: 'GET /a' }), clock.wallNow())
  expect(await writesIn(1_000)).toBe(1)
  kept.record(breakerEvent({ route: 'GET /a', to: 'closed', cause: undefined }), clock.wallNow())
  expect(await writesIn(1_000)).toBe(1)
  expect(await writesIn(9_000)).toBe(0)
  expect(await writesIn(1_000)).toBe(1)
  await kept.close()
})

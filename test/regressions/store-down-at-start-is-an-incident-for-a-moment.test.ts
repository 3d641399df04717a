import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { HistoryView, IncidentView } from '../../src/dashboard/shapes.ts'
import { Incidents } from '../../src/incidents/fold.ts'
import { factOf } from '../../src/incidents/of-line.ts'
import { viewOf } from '../../src/incidents/view.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'

test('incidents: a store that is down from the start is one until it is back; the history says what it lacks', async (t) => {
  const clock = fakeClock()
  const place = join(temporaryFolder(t), 'data')
  writeFileSync(place, 'no folder')
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: 'http://127.0.0.1:9' } },
    top: { checkpoints: { store: `file:${place}` } },
  })
  const read = async <V>(path: string): Promise<V> =>
    (await (await fetch(`${proxy.controlUrl}/v1/${path}`)).json()) as V
  const incidents = async () => (await read<{ incidents: IncidentView[] }>('incidents')).incidents
  await clock.advance(120_000)
  expect(await incidents()).toMatchObject([
    { kind: 'store', state: 'ongoing', ended_at: null, duration_s: 120, signs: [{ sign: 'store_down' }] },
  ])
  expect((await read<HistoryView>('history')).missing).toMatch(/^the store does not answer: /)

  rmSync(place)
  // The thread of the store has its own time: each second waits for an answer of it.
  for (let second = 0; second < 100; second += 1) {
    await clock.advance(1_000)
    await read('history')
  }
  expect((await read<HistoryView>('history')).missing).toBe(null)
  const [told, ...others] = await incidents()
  expect([told, others]).toMatchObject([{ state: 'ended', signs: [{ sign: 'store_down' }, { sign: 'store_up' }] }, []])
  expect(told?.duration_s).toBeGreaterThanOrEqual(120)

  const fold = new Incidents()
  for (const line of proxy.log) {
    const fact = factOf(JSON.stringify(line))?.fact
    if (fact !== undefined) fold.take(fact)
  }
  fold.pass(clock.wallNow())
  expect(fold.all.map((incident) => viewOf(incident, clock.wallNow()))).toEqual([told])
})

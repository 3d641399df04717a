import { expect, test } from 'vitest'
import type { HistoryView, Sample } from '../../../src/dashboard/shapes.ts'
import { ask } from '../../support/client.ts'
import { LONG_OPEN } from '../../support/breaker.ts'
import { withSidecar } from '../../support/sidecar.ts'
import type { Sidecar } from '../../support/proxy.ts'

const FAILS_AT_ONCE = { retry: { attempts: 1 }, breaker: { ...LONG_OPEN, consecutiveFailures: 1, openFor: '3s' } }

/** The seconds that a page gets which opens now. */
async function seconds({ controlUrl }: Sidecar): Promise<readonly Sample[]> {
  const gone = new AbortController()
  const { body } = await fetch(`${controlUrl}/v1/events`, { signal: gone.signal })
  let text = ''
  for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece
    if (text.includes('\n\n')) break
  }
  gone.abort()
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '').samples
}

const historyOf = async ({ controlUrl }: Sidecar, query: string): Promise<HistoryView> =>
  (await fetch(`${controlUrl}/v1/history?${query}`)).json() as Promise<HistoryView>

test('history: a breaker was open for as long as it was, and requests were under way when they were', async (t) => {
  const { clock, upstream, proxy, url } = await withSidecar(t, [{ status: 500 }, 'hang'], {
    web: FAILS_AT_ONCE,
    random: () => 0,
  })
  await clock.advance(1_000)
  await ask(`${url}/a`)
  await ask(`${url}/a`)
  await clock.advance(4_000)
  const held = ask(`${url}/b`)
  await upstream.begun(2)
  await clock.advance(2_000)
  const all = (await seconds(proxy)).map(({ upstreams }) => upstreams.web)
  expect(all.map((one) => [one?.breaker, one?.open_ms, one?.in_flight])).toEqual([
    ['closed', 0, 0],
    ['open', 1_000, 0],
    ['open', 1_000, 0],
    ['open', 1_000, 0],
    ['half-open', 0, 0],
    ['half-open', 0, 1],
    ['half-open', 0, 1],
  ])
  expect(all[1]).toMatchObject({ requests: 2, failed: 2, refused: 1 })
  const { upstreams, at } = await historyOf(proxy, 'from=-10s&step=5s')
  expect(at).toHaveLength(3)
  expect(upstreams.web).toMatchObject({ requests: [null, 2, 0], refusals: [null, 1, 0], open_s: [null, 3, 0] })
  upstream.dropConnections()
  await held
})

test('history: of the endpoints of a route the best breaker counts, of several routes the worst', async (t) => {
  const { clock, proxy, url } = await withSidecar(t, [{ status: 500 }, {}], {
    web: { ...FAILS_AT_ONCE, routes: [{ match: 'GET /own', breaker: { consecutiveFailures: 1, openFor: '3s' } }] },
    random: () => 0,
  })
  await ask(`${url}/own`)
  await ask(`${url}/other`)
  await clock.advance(1_000)
  expect((await seconds(proxy)).at(-1)?.upstreams.web).toMatchObject({ breaker: 'open', open_ms: 1_000 })
})

test('history: an open breaker for a part of a second is not lost', async (t) => {
  const { clock, proxy, url } = await withSidecar(t, [{ status: 500 }, {}], {
    web: { ...FAILS_AT_ONCE, breaker: { ...FAILS_AT_ONCE.breaker, openFor: '300ms' } },
    random: () => 0,
  })
  await clock.advance(100)
  await ask(`${url}/a`)
  await clock.advance(400)
  await ask(`${url}/a`)
  await clock.advance(600)
  expect((await seconds(proxy)).at(-1)?.upstreams.web).toMatchObject({ breaker: 'open', open_ms: 300 })
})

test('history: minutes are read from the store, and tell where the sidecar did not run', async (t) => {
  const { clock, proxy, url } = await withSidecar(t, [{}])
  await ask(`${url}/a`)
  await clock.advance(61_000)
  // Ends once the minute is written: the store's calls end after 2 s of the clock, on a busy machine before they are done.
  await historyOf(proxy, 'from=-2m&step=1m')
  await ask(`${url}/a`)
  await ask(`${url}/a`)
  await clock.advance(60_000)
  const { at, upstreams, step_s, marks } = await historyOf(proxy, 'from=-4m&step=1m')
  expect([at[0], step_s]).toEqual(['2025-12-31T23:58:00.000Z', 60])
  expect(upstreams.web?.requests).toEqual([null, null, 1, 2, 0])
  expect(marks).toEqual([
    { at: '2026-01-01T00:00:00.000Z', kind: 'started', upstream: null, detail: expect.any(String) },
  ])
  const named = await historyOf(proxy, 'from=-4m&step=1m&upstream=other')
  expect(named.upstreams).toEqual({})
})

test('history: a question that has no answer is refused, and the answer names the field', async (t) => {
  const { proxy } = await withSidecar(t, [{}])
  const wrong = [
    ['from=yesterday', 'from'],
    ['from=-1h&to=-2h', 'to'],
    ['step=0', 'step'],
    ['from=-7d&step=1m', 'step'],
  ] as const
  for (const [query, field] of wrong) {
    const answer = await fetch(`${proxy.controlUrl}/v1/history?${query}`)
    expect([answer.status, await answer.json()]).toMatchObject([400, { field }])
  }
})

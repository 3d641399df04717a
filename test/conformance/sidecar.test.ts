/** The conformance suite against the sidecar: one for all cases, on a clock that stands still. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fakeClock } from '../support/fake-clock.ts'
import { type Sidecar, startProxy } from '../support/proxy.ts'
import { GROUPS } from './cases/all.ts'
import { RawUpstream } from './endpoints.ts'
import { type Outcome, play } from './play.ts'

const PATIENCE_MS = 5_000
const cleanUps: (() => unknown)[] = []
let upstream: RawUpstream
let proxy: Sidecar
let port: number

beforeAll(async () => {
  upstream = await RawUpstream.open()
  proxy = await startProxy(
    { onTestFinished: (cleanUp) => cleanUps.push(cleanUp) },
    {
      clock: fakeClock(),
      upstreams: {
        web: {
          url: `http://127.0.0.1:${upstream.port}`,
          listen: '127.0.0.1:0',
          retry: { attempts: 1 },
          breaker: { consecutiveFailures: 100_000, failureRate: false },
        },
      },
    },
  )
  port = Number(new URL(proxy.own('web')).port)
})

afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
  await upstream.close()
})

const requestLines = () => proxy.log.filter(({ msg }) => msg === 'request')

/** Finished requests of all series, those without a route included. */
const counted = async () =>
  [...(await proxy.metrics())]
    .filter(([name]) => /^breakwater_(requests|unrouted)_total/.test(name))
    .reduce((sum, [, value]) => sum + value, 0)

/** A refusal leaves a trace like other answers: one access line and one count for each. */
async function leavesTraces({ seen }: Outcome, before: { readonly lines: number; readonly count: number }) {
  const added = seen.responses.length
  await expect.poll(() => requestLines().length - before.lines).toBe(added)
  expect(requestLines().at(-1)).toMatchObject({ status: seen.responses.at(-1)?.status, reason: expect.any(String) })
  expect((await counted()) - before.count).toBe(added)
}

describe.each(GROUPS)('$topic', ({ cases }) => {
  test.for(cases.map((one) => [`${one.section}: ${one.name}`, one] as const))('%s', async ([, one]) => {
    const isRefusal = one.expect.some(({ refuses }) => refuses)
    const before = isRefusal ? { lines: requestLines().length, count: await counted() } : undefined
    const outcome = await play(one, { port, isStrict: true, patienceMs: PATIENCE_MS }, upstream)
    if (outcome.fault !== undefined) expect.fail(outcome.fault)
    if (before !== undefined) await leavesTraces(outcome, before)
  })
})

test('conformance: no two cases have one name', () => {
  const names = GROUPS.flatMap(({ cases }) => cases.map(({ section, name }) => `${section}: ${name}`))
  expect(names.filter((name, n) => names.indexOf(name) !== n)).toEqual([])
})

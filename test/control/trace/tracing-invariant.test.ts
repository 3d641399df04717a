import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ask } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { otlpReceiver, type ReceivedSpan } from '../../support/otlp-receiver.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../../support/scripted-upstream.ts'

const RUNS = 40
const STEP_MS = 250
/** Turns of the event loop between two steps of the clock, for the sockets. */
const TURNS = 5

/** Closes its connection: a reset of a reused connection would count as no attempt. */
const answer = (status: number) => ({ status, headers: { connection: 'close' } })

const plans = fc.record({
  scenes: fc.array(fc.constantFrom<Scene>('reset', 'hang', ...[200, 404, 429, 500, 503].map(answer)), {
    minLength: 1,
    maxLength: 12,
  }),
  attempts: fc.integer({ min: 1, max: 5 }),
  hedge: fc.constantFrom<object | false>(false, { after: '300ms', max: 2 }),
  collapse: fc.boolean(),
  endpoints: fc.integer({ min: 1, max: 2 }),
  clients: fc.array(fc.constantFrom(undefined, '01', '00'), { minLength: 1, maxLength: 5 }),
})

test('spans: under random faults each attempt lies within its parent and is sent once', {
  timeout: 120_000,
}, async () => {
  const kinds = new Set<string>()
  await fc.assert(
    fc.asyncProperty(plans, async ({ scenes, attempts, hedge, collapse, endpoints, clients }) => {
      const cleanUps: (() => unknown)[] = []
      const scope = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
      const clock = fakeClock()
      const receiver = await otlpReceiver(scope)
      const upstreams = await Promise.all(
        Array.from({ length: endpoints }, () => scriptedUpstream(scope, clock, scenes)),
      )
      const proxy = await startProxy(scope, {
        clock,
        upstreams: {
          web: {
            urls: upstreams.map(({ origin }) => origin),
            listen: '127.0.0.1:0',
            timeout: { attempt: '1s', total: '9s' },
            retry: { attempts, backoff: { initial: '500ms' } },
            breaker: { consecutiveFailures: 2, openFor: '3s', patience: '0ms' },
            hedge,
            collapse,
          },
        },
        top: { tracing: { endpoint: receiver.endpoint, interval: '1m' } },
      })
      const callers = clients.map(
        (flags, i) => flags && `00-${String(i + 1).padStart(32, '0')}-${'ab'.repeat(8)}-${flags}`,
      )
      const wave = async () => {
        const answers = callers.map((traceparent) =>
          ask(proxy.own('web'), { headers: traceparent === undefined ? {} : { traceparent } }),
        )
        let open = answers.length
        for (const one of answers) void one.finally(() => (open -= 1))
        while (open > 0) {
          for (let i = 0; i < TURNS; i += 1) await turn()
          await clock.advance(STEP_MS)
        }
        await Promise.all(answers)
      }
      await wave()
      await wave()
      const drained = proxy.app.drain()
      await clock.elapse(1_000)
      await drained
      const told = upstreams.flatMap(({ arrivals }) => arrivals.map(({ headers }) => headers.traceparent))
      assertWellFormed(receiver.spans, 2 * clients.filter((flags) => flags !== '00').length, told)
      for (const { kind, attributes } of receiver.spans)
        kinds.add(`${kind} ${attributes['breakwater.reason'] ?? 'none'}`)
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }),
    { numRuns: RUNS, seed: 20_261_125 },
  )
  expect([...kinds]).toEqual(expect.arrayContaining(['2 none', '2 breaker_open', '3 none', '3 reset', '3 hedge_lost']))
})

function assertWellFormed(spans: readonly ReceivedSpan[], requests: number, told: readonly unknown[]): void {
  const bySpanId = new Map(spans.map((span) => [span.spanId, span]))
  expect(bySpanId.size).toBe(spans.length)
  const [servers, attempts] = [2, 3].map((kind) => spans.filter((span) => span.kind === kind))
  expect(servers).toHaveLength(requests)
  for (const span of spans) expect(span.start).toBeLessThanOrEqual(span.end)
  for (const attempt of attempts ?? []) {
    const parent = bySpanId.get(attempt.parentId)
    expect(parent).toMatchObject({ kind: 2, traceId: attempt.traceId })
    expect(attempt.start).toBeGreaterThanOrEqual(parent?.start ?? 0n)
    expect(attempt.end).toBeLessThanOrEqual(parent?.end ?? 0n)
    // An attempt that was cancelled may never have reached the upstream.
    const isAnswered = attempt.attributes['http.response.status_code'] !== undefined
    if (isAnswered) expect(told).toContain(`00-${attempt.traceId}-${attempt.spanId}-01`)
  }
  for (const { events, links, start, end, attributes, traceId, spanId } of servers ?? []) {
    for (const { at } of events) expect(at >= start && at <= end).toBe(true)
    for (const link of links) expect(bySpanId.get(link.spanId)).toMatchObject({ traceId: link.traceId, kind: 3 })
    const own = (attempts ?? []).filter((one) => one.parentId === spanId && one.traceId === traceId)
    if (links.length === 0 && own.length > 0) expect(attributes['breakwater.attempts']).toBe(own.length)
  }
}

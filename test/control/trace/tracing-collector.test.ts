/** Export of spans to a collector that is down, slow or refuses them, and on a drain. No request waits for it. */

import { expect, test } from 'vitest'
import { ask } from '../../support/client.ts'
import { otlpReceiver, type Reception } from '../../support/otlp-receiver.ts'
import type { Sidecar } from '../../support/proxy.ts'
import type { Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const DONE: Reception = { status: 200 }

async function collecting(t: Scope, scenes: readonly Reception[], tracing: object = {}) {
  const receiver = await otlpReceiver(t, scenes)
  const { clock, upstream, proxy, url } = await withSidecar(t, [{ body: 'done' }], {
    top: { tracing: { endpoint: receiver.endpoint, interval: '3s', timeout: '700ms', ...tracing } },
  })
  return { clock, receiver, upstream, proxy, url }
}

/** Sends a request and waits until it is logged; it makes two spans. */
async function request(proxy: Sidecar, url: string): Promise<void> {
  const before = lines(proxy, 'request')
  await ask(url)
  await expect.poll(() => lines(proxy, 'request')).toBe(before + 1)
}

const lines = ({ log }: Sidecar, name: string) => log.filter(({ msg }) => msg === name).length

/** The counters of spans and exports in the metrics. */
async function counted(proxy: Sidecar): Promise<Record<string, number>> {
  const all = [...(await proxy.metrics())].filter(([name]) => /^breakwater_span/.test(name))
  return Object.fromEntries(all.map(([name, value]) => [name.replace('breakwater_', ''), value]))
}

async function untilCounted(proxy: Sidecar, name: string, value: number): Promise<void> {
  await expect.poll(async () => (await counted(proxy))[name]).toBe(value)
}

test('collector: the spans of one tracing.interval are sent in one call', async (t) => {
  const { clock, receiver, proxy, url } = await collecting(t, [DONE])
  await request(proxy, url)
  await clock.advance(1_000)
  await request(proxy, url)
  expect(receiver.calls).toHaveLength(0)
  await clock.elapse(2_000)
  await untilCounted(proxy, 'spans_total{outcome="exported"}', 4)
  expect(receiver.calls).toHaveLength(1)
  expect(await counted(proxy)).toEqual({
    'spans_total{outcome="exported"}': 4,
    'span_exports_total{outcome="done"}': 1,
  })
})

test('collector: 512 spans are sent without waiting for the interval', async (t) => {
  const { receiver, proxy, url } = await collecting(t, [DONE])
  for (let i = 0; i < 256; i += 1) await ask(url)
  await receiver.called(1)
  await untilCounted(proxy, 'spans_total{outcome="exported"}', 512)
})

test.for([429, 502, 503, 504])(
  'collector: a batch answered with %d is sent again, with a longer wait each time',
  async (status, t) => {
    const { clock, receiver, proxy, url } = await collecting(t, [{ status }, { status }, DONE])
    await request(proxy, url)
    await clock.elapse(3_000)
    await clock.elapse(1_000)
    await clock.elapse(2_000)
    await untilCounted(proxy, 'spans_total{outcome="exported"}', 2)
    expect(receiver.calls).toHaveLength(3)
    expect(await counted(proxy)).toMatchObject({ 'span_exports_total{outcome="failed"}': 2 })
  },
)

test('collector: Retry-After is followed up to a minute; a longer one fails the batch', async (t) => {
  const late = (seconds: string): Reception => ({ status: 503, headers: { 'retry-after': seconds } })
  const { clock, receiver, proxy, url } = await collecting(t, [late('20'), late('61'), DONE])
  await request(proxy, url)
  await clock.elapse(3_000)
  await clock.elapse(20_000)
  await untilCounted(proxy, 'spans_total{outcome="failed"}', 2)
  expect(receiver.calls).toHaveLength(2)
})

test.for([400, 401, 404, 500, 302])('collector: a batch answered with %d is not sent again', async (status, t) => {
  const elsewhere = { status, headers: { location: '/elsewhere' } }
  const { clock, receiver, proxy, url } = await collecting(t, [elsewhere, DONE])
  await request(proxy, url)
  await clock.elapse(3_000)
  await untilCounted(proxy, 'spans_total{outcome="failed"}', 2)
  expect(receiver.calls.map(({ path }) => path)).toEqual(['/v1/traces'])
  expect(await proxy.logged(({ msg }) => msg === 'spans not taken')).toMatchObject({
    level: 'warn',
    err: { message: `status ${status}` },
  })
})

test('collector: spans that it rejected are counted', async (t) => {
  const partly = { status: 200, body: '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"hunter2"}}' }
  const { clock, proxy, url } = await collecting(t, [partly])
  await request(proxy, url)
  await clock.elapse(3_000)
  await untilCounted(proxy, 'spans_total{outcome="exported"}', 1)
  expect(await counted(proxy)).toMatchObject({ 'spans_total{outcome="rejected"}': 1 })
})

test('collector: a call that hangs ends at tracing.timeout, is made five times, and delays no request', async (t) => {
  const { clock, receiver, proxy, url } = await collecting(t, ['hang'])
  await request(proxy, url)
  for (const [i, waitMs] of [3_000, 1_000, 2_000, 4_000, 8_000].entries()) {
    await clock.elapse(waitMs)
    await receiver.called(i + 1)
    await ask(url)
    await clock.elapse(700)
  }
  await untilCounted(proxy, 'spans_total{outcome="failed"}', 2)
  expect(receiver.calls).toHaveLength(5)
  expect(await counted(proxy)).toMatchObject({ 'span_exports_total{outcome="failed"}': 5 })
})

test('collector: while it hangs, spans over tracing.queue are dropped, counted and logged', async (t) => {
  const { clock, receiver, proxy, url } = await collecting(t, ['hang'], { queue: 3 })
  await request(proxy, url)
  await clock.elapse(3_000)
  await receiver.called(1)
  for (let i = 0; i < 4; i += 1) await request(proxy, url)
  expect(await counted(proxy)).toEqual({ 'spans_total{outcome="dropped"}': 5 })
  expect(lines(proxy, 'spans lost')).toBe(1)
})

test('collector: a refused connection is logged as CollectorError and tried again', async (t) => {
  const { clock, proxy, url } = await collecting(t, [DONE], { endpoint: 'http://127.0.0.1:9' })
  await request(proxy, url)
  await clock.elapse(3_000)
  expect(await proxy.logged(({ msg }) => msg === 'spans not taken')).toMatchObject({ err: { type: 'CollectorError' } })
  await clock.armed(1_000)
})

test('collector: a drain sends the spans that are not yet sent', async (t) => {
  const { clock, receiver, proxy, url } = await collecting(t, [DONE])
  await request(proxy, url)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  await drained
  expect(receiver.spans).toHaveLength(2)
})

test.for([
  ['hangs', 'hang' as const],
  ['answers 503', { status: 503 }],
])('collector: a drain waits at most 2 s for a collector that %s', async ([, scene], t) => {
  const { clock, receiver, proxy, url } = await collecting(t, [scene as Reception], { timeout: '1m' })
  await request(proxy, url)
  await clock.elapse(3_000)
  await receiver.called(1)
  await request(proxy, url)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  if (scene === 'hang') await clock.elapse(2_000)
  await drained
})

test('collector: gets the configured headers percent-decoded; neither log nor metrics show them', async (t) => {
  const secret = 'Bearer%20hunter2'
  const refused = { status: 401, body: 'no: Bearer hunter2' }
  const { clock, receiver, proxy, url } = await collecting(t, [refused], {
    headers: `authorization=${secret},x-team=a`,
  })
  await request(proxy, url)
  await clock.elapse(3_000)
  await untilCounted(proxy, 'spans_total{outcome="failed"}', 2)
  expect(receiver.calls[0]?.headers).toMatchObject({ authorization: 'Bearer hunter2', 'x-team': 'a' })
  const said = JSON.stringify(proxy.log) + (await (await fetch(`${proxy.controlUrl}/metrics`)).text())
  expect(said).not.toContain('hunter2')
})

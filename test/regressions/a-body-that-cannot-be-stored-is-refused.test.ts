import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { startProxy } from '../support/proxy.ts'

const sidecar = async (t: TestContext) => {
  const proxy = await startProxy(t, { clock: systemClock, upstreams: { web: { url: 'http://127.0.0.1:9' } } })
  const post = (body: Buffer | string, job = 'clip-4') =>
    ask(`${proxy.controlUrl}/v1/checkpoints/${job}/items`, { method: 'POST', body })
  const put = (body: Buffer | string) => ask(`${proxy.controlUrl}/v1/checkpoints/clip-4`, { method: 'PUT', body })
  return { proxy, post, put }
}

/** JSON nested `levels` deep, objects and arrays in turn, with `innermost` inside. */
const nested = (levels: number, innermost = '7'): string => {
  const pairs = Array.from({ length: levels }, (_, i) => (i % 2 === 0 ? ['{"k":', '}'] : ['[', ']']))
  return (
    pairs.map(([open]) => open).join('') +
    innermost +
    pairs
      .map(([, close]) => close)
      .reverse()
      .join('')
  )
}

test('control: metadata deeper than 64 levels is a 400 that names the field; the store goes on', async (t) => {
  const { post } = await sidecar(t)
  const append = (metadata: string) => post(`{"stage":"cut","item_ids":["a"],"metadata":${metadata}}`)
  for (const levels of [64, 700, 2_700, 6_000, 100_000]) {
    const answer = problemOf(await append(nested(levels)))
    expect([levels, answer.status, String(answer.field).split('.')[0]]).toEqual([levels, 400, 'metadata'])
    expect(answer.detail).toContain('nested deeper than 64 levels')
  }
  // The body itself is the first level.
  expect((await append(nested(63))).status).toBe(201)
})

test('control: a body that is not UTF-8 is a 400 that names the field, if the bytes are in one', async (t) => {
  const { post, put } = await sidecar(t)
  const latin1 = (text: string) => Buffer.from(text, 'latin1')
  const cases: readonly (readonly [field: string | undefined, body: Buffer])[] = [
    ['item_ids.1', latin1('{"stage":"cut","item_ids":["ok","se\xf1al"]}')],
    ['item_ids.0', latin1('{"stage":"cut","item_ids":["\\ud83d\xef\xbf"]}')],
    [
      'metadata.a',
      latin1('{"stage":"cut","item_ids":[],"metadata":{"a":["\xc0\xaf"],"b":1}}'.replace('["', '"').replace('"]', '"')),
    ],
    [undefined, latin1('{"stage":"cut",\xff"item_ids":[]}')],
    [undefined, latin1('\xfe')],
  ]
  for (const [field, body] of cases) {
    const answer = problemOf(await post(body))
    expect([answer.status, answer.field]).toEqual([400, field])
    expect(answer.detail).toContain('is not UTF-8')
  }
  const key = problemOf(
    await put(latin1('{"stage":"cut","completed_items":0,"total_items":1,"metadata":{"caf\xe9":1}}')),
  )
  expect([key.status, String(key.field)]).toEqual([400, expect.stringMatching(/^metadata\.caf/)])
  // A genuine replacement character is text like any other.
  expect((await post(JSON.stringify({ stage: 'cut', item_ids: ['\u{fffd}', 'señal', '🎬'] }))).status).toBe(201)
})

test('control: a lone surrogate in a value or key is a 400 that names the field', async (t) => {
  const { proxy, post } = await sidecar(t)
  const refused = async (body: string, field: string) => {
    const answer = problemOf(await post(body))
    expect([answer.status, answer.field]).toEqual([400, field])
    expect(answer.detail).toContain('surrogate')
  }
  await refused('{"stage":"cut","item_ids":["x","\\udfff"]}', 'item_ids.1')
  await refused('{"stage":"cut","item_ids":[],"metadata":{"deep":[1,{"t":"a\\ud800b"}]}}', 'metadata.deep.1.t')
  await refused('{"stage":"cut","item_ids":[],"metadata":{"\\udc11":1}}', 'metadata.\u{fffd}')
  const remaining = await ask(`${proxy.controlUrl}/v1/checkpoints/clip-4/remaining`, {
    method: 'POST',
    body: '{"items":[{"id":"\\ud801"}]}',
  })
  expect([remaining.status, problemOf(remaining).field]).toEqual([400, 'items.0.id'])
})

test('control: job ids . and .. are refused, however they are written', async (t) => {
  const { proxy } = await sidecar(t)
  const port = proxy.app.addresses().control.port
  const statusOf = async (method: string, target: string, body = '') => {
    const raw = openRaw(port)
    raw.send(
      `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await raw.ended
    return Number(/^HTTP\/1.1 (\d+)/.exec(raw.received)?.[1])
  }
  for (const id of ['..', '.', '%2e%2E', '%2e', '.%2e']) {
    const written = '{"stage":"s","item_ids":[]}'
    expect([id, await statusOf('POST', `/v1/checkpoints/${id}/items`, written)]).toEqual([id, 400])
    expect([id, await statusOf('PUT', `/v1/jobs/${id}`, '{}')]).toEqual([id, 400])
    expect([id, await statusOf('GET', `/v1/checkpoints/${id}`)]).toEqual([id, 400])
  }
  expect(await statusOf('GET', '/v1/checkpoints/...')).toBe(404)
  expect(await statusOf('GET', '/v1/checkpoints/%ff')).toBe(400)
})

test('control: a query or target that is not UTF-8 is refused, not decoded to other text', async (t) => {
  const { proxy } = await sidecar(t)
  const answer = problemOf(await ask(`${proxy.controlUrl}/v1/timeouts?aspect=ok&note=%e9t%e9`))
  expect([answer.status, answer.field]).toEqual([400, 'note'])
  const raw = openRaw(proxy.app.addresses().control.port)
  raw.send('GET /v1/timeouts?a=\xe9 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
  await raw.until(/^HTTP\/1.1 400/)
  expect((await ask(`${proxy.controlUrl}/v1/timeouts?share=100%&x=%c3%a9`)).status).toBe(200)
})

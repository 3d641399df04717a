/**
 * Two equal requests whose tracing fields differ (b3, baggage, sentry-trace, x-datadog-parent-id, x-amzn-trace-id), or whose
 * multipart bodies have another boundary, made two calls. So no call of a traced client was ever shared.
 */

import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** A collapsed route whose upstream answers when it is told to. */
async function withCollapse(t: Scope) {
  const responses: ServerResponse[] = []
  const scene: Scene = (request, response) => void request.on('end', () => responses.push(response)).resume()
  const fixture = await withSidecar(t, [scene], {
    web: { routes: [{ match: '* /jobs', idempotent: true, collapse: true }] },
    path: '/jobs',
  })
  const answerAll = () => {
    for (const response of responses) response.end('answer')
  }
  return { ...fixture, answerAll, shared: () => fixture.proxy.logged(({ msg }) => msg === 'shared') }
}

test.for([
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-spanid',
  'x-datadog-parent-id',
  'sentry-trace',
  'x-amzn-trace-id',
  'uber-trace-id',
  'uberctx-user',
  'newrelic',
  'x-newrelic-id',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  'request-id',
  'request-context',
  'x-ms-client-request-id',
  'x-correlation-id',
  'x-request-attempt',
  'forwarded',
  'x-forwarded-host',
  'Date',
])('collapse: requests that differ in %s share one call', async (name, t) => {
  const { upstream, url, shared, answerAll } = await withCollapse(t)
  const calls = ['1', '2'].map((value) => ask(url, { headers: { [name]: value } }))
  await shared()
  await upstream.arrival(1)
  answerAll()
  for (const { body } of await Promise.all(calls)) expect(body.toString()).toBe('answer')
  expect(upstream.arrivals).toHaveLength(1)
})

test.for(['idempotency-key', 'authorization', 'x-ms-version', 'x-amz-security-token', 'accept'])(
  'collapse: requests that differ in %s share no call',
  async (name, t) => {
    const { upstream, url, answerAll } = await withCollapse(t)
    const calls = ['1', '2'].map((value) => ask(url, { headers: { [name]: value } }))
    await upstream.arrival(2)
    answerAll()
    await Promise.all(calls)
  },
)

const form = (boundary: string, content: string) => ({
  method: 'POST',
  headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  body: `--${boundary}\r\nContent-Disposition: form-data; name="f"\r\n\r\n${content}\r\n--${boundary}--\r\n`,
})

test('collapse: multipart bodies that differ in their boundary share one call', async (t) => {
  const { upstream, url, shared, answerAll } = await withCollapse(t)
  const quoted = form('----of-another-length-7', 'a\r\n--b')
  const calls = [
    ask(url, form('----x1', 'a\r\n--b')),
    ask(url, {
      ...quoted,
      headers: { 'content-type': 'multipart/form-data; boundary="----of-another-length-7"' },
    }),
  ]
  await shared()
  await upstream.arrival(1)
  answerAll()
  for (const { body } of await Promise.all(calls)) expect(body.toString()).toBe('answer')
  expect(upstream.arrivals).toHaveLength(1)
})

const other = (boundary: string, type: string, body: string | Buffer) => ({
  method: 'POST',
  headers: { 'content-type': `${type}; boundary=${boundary}` },
  body,
})
const coded = gzipSync(form('x1', 'a').body)
type Pair = readonly [ReturnType<typeof other>, ReturnType<typeof other>]

test.for<[what: string, pair: Pair]>([
  ['content', [form('x1', 'a'), form('x2', 'b')]],
  ['content of the other one as a delimiter', [form('x1', 'a\r\n--x2\r\nb'), form('x2', 'a\r\n--x2\r\nb')]],
  ['a boundary within a line', [form('x1', 'a --x1'), form('x2', 'a --x2')]],
  ['a boundary that goes on in its line', [form('x1', 'a\r\n--x1y'), form('x2', 'a\r\n--x2y')]],
  [
    'a boundary that the body does not have',
    [other('x1', 'multipart/form-data', coded), other('x2', 'multipart/form-data', coded)],
  ],
  [
    'a boundary of another type',
    [other('x1', 'text/plain', form('x1', 'a').body), other('x2', 'text/plain', form('x2', 'a').body)],
  ],
  [
    'another parameter',
    [
      other('x1; charset=a', 'multipart/form-data', form('x1', 'a').body),
      other('x2; charset=b', 'multipart/form-data', form('x2', 'a').body),
    ],
  ],
])('collapse: multipart bodies that differ in %s share no call', async ([, pair], t) => {
  const { upstream, url, answerAll } = await withCollapse(t)
  const calls = pair.map((one) => ask(url, one))
  await upstream.arrival(2)
  answerAll()
  await Promise.all(calls)
})

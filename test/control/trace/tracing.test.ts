import type { IncomingHttpHeaders } from 'node:http'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../../support/client.ts'
import { EPOCH_MS, type FakeClock, fakeClock } from '../../support/fake-clock.ts'
import { type OtlpReceiver, otlpReceiver, type ReceivedSpan } from '../../support/otlp-receiver.ts'
import { type ProxyOptions, type Sidecar, startProxy } from '../../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../../support/scripted-upstream.ts'

const SERVER = 2
const CLIENT = 3
const ERROR = 2
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = '00f067aa0ba902b7'
const SAMPLED = `00-${TRACE}-${CALLER}-01`
const UNSAMPLED = `00-${TRACE}-${CALLER}-00`

type Traced = {
  readonly clock: FakeClock
  readonly proxy: Sidecar
  readonly upstream: Awaited<ReturnType<typeof scriptedUpstream>>
  readonly receiver: OtlpReceiver
  readonly url: string
  /** Drains the sidecar, then returns all received spans. */
  spans(): Promise<readonly ReceivedSpan[]>
}

type Options = Partial<Omit<ProxyOptions, 'clock'>> & { readonly clock?: FakeClock; readonly tracing?: object }

async function traced(
  t: Scope,
  scenes: readonly Scene[],
  settings: object = {},
  { tracing = {}, clock = fakeClock(), ...options }: Options = {},
): Promise<Traced> {
  const receiver = await otlpReceiver(t)
  const upstream = await scriptedUpstream(t, clock, scenes)
  const proxy = await startProxy(t, {
    clock,
    upstreams: {
      web: {
        url: `${upstream.origin}/base`,
        listen: '127.0.0.1:0',
        routes: [{ match: 'GET /jobs/{id}' }],
        ...settings,
      },
    },
    top: { tracing: { endpoint: receiver.endpoint, ...tracing } },
    ...options,
  })
  const spans = async () => {
    const drained = proxy.app.drain()
    await clock.elapse(1_000)
    await drained
    return receiver.spans
  }
  return { clock, proxy, upstream, receiver, url: proxy.own('web'), spans }
}

/** The span of the one request, and the spans of its attempts in order. */
function split(spans: readonly ReceivedSpan[]) {
  const [request, ...others] = spans.filter(({ kind }) => kind === SERVER)
  if (request === undefined || others.length > 0) throw new Error('expected one request')
  const order = (span: ReceivedSpan) => Number(span.attributes['http.request.resend_count'] ?? 0)
  const attempts = spans.filter(({ kind }) => kind === CLIENT).toSorted((a, b) => order(a) - order(b))
  return { request, attempts }
}

const parentOf = (arrival: { readonly headers: IncomingHttpHeaders } | undefined) =>
  /^00-([\da-f]{32})-([\da-f]{16})-0[0-3]$/.exec(String(arrival?.headers.traceparent))?.slice(1)

const eventsOf = ({ events }: ReceivedSpan) => events.map(({ name, attributes }) => [name, attributes])
const ns = (ms: number) => BigInt(EPOCH_MS + ms) * 1_000_000n

test('spans: client, request and attempt are parent and child; the upstream gets the attempt as parent', async (t) => {
  const { upstream, receiver, url, spans } = await traced(t, [{ body: 'done' }])
  await ask(`${url}/jobs/7?key=hunter2`, {
    headers: { traceparent: SAMPLED, tracestate: 'v=1', 'x-request-id': 'r-1' },
  })
  const { request, attempts } = split(await spans())
  const { port } = upstream
  expect(request).toMatchObject({ traceId: TRACE, parentId: CALLER, kind: SERVER, name: 'GET /jobs/{id}' })
  expect(request.status).toEqual({ code: 0, message: '' })
  expect(request.attributes).toEqual({
    'http.request.method': 'GET',
    'url.path': '/jobs/7',
    'url.scheme': 'http',
    'http.route': '/jobs/{id}',
    'http.response.status_code': 200,
    'http.response.body.size': 4,
    'breakwater.upstream': 'web',
    'breakwater.route': 'GET /jobs/{id}',
    'breakwater.request_id': 'r-1',
    'breakwater.attempts': 1,
    'breakwater.queue_ms': 0,
    'breakwater.backoff_ms': 0,
    'breakwater.first_byte_ms': 0,
  })
  expect(attempts).toHaveLength(1)
  const [attempt] = attempts
  expect(attempt).toMatchObject({ traceId: TRACE, parentId: request.spanId, kind: CLIENT, name: 'GET', links: [] })
  expect(attempt?.attributes).toEqual({
    'http.request.method': 'GET',
    'url.full': `http://127.0.0.1:${port}/base/jobs/7`,
    'server.address': '127.0.0.1',
    'server.port': port,
    'network.protocol.version': '1.1',
    'http.response.status_code': 200,
    'breakwater.upstream': 'web',
  })
  expect(parentOf(upstream.arrivals[0])).toEqual([TRACE, attempt?.spanId])
  expect(upstream.arrivals[0]?.headers.tracestate).toBe('v=1')
  expect(receiver.calls[0]?.path).toBe('/v1/traces')
  expect(receiver.calls[0]?.resource).toMatchObject({ 'service.name': 'test', 'service.version': 'test' })
})

test('spans: server.address of an IPv6 upstream has no brackets', async (t) => {
  const { url, spans } = await traced(t, [], { url: 'http://[::1]:9/', retry: { attempts: 1 } })
  await ask(url)
  expect(split(await spans()).attempts[0]?.attributes).toMatchObject({ 'server.address': '::1', 'server.port': 9 })
})

test('spans: each attempt has its own span, which the upstream gets as parent', async (t) => {
  const scenes: Scene[] = [{ status: 503, headers: { connection: 'close' } }, 'reset', { body: 'done' }]
  const { clock, upstream, url, spans } = await traced(t, scenes, {
    retry: { attempts: 3 },
    connections: { idle: '1ms' },
  })
  const answer = ask(`${url}/jobs/7`, { headers: { traceparent: SAMPLED } })
  await clock.elapse(2_000)
  await clock.elapse(4_000)
  await answer
  const { request, attempts } = split(await spans())
  expect(attempts.map(({ parentId }) => parentId)).toEqual(Array(3).fill(request.spanId))
  expect(upstream.arrivals.map(parentOf)).toEqual(attempts.map(({ spanId }) => [TRACE, spanId]))
  expect(attempts.map(({ start }) => start - ns(0))).toEqual([0n, 2_000_000_000n, 6_000_000_000n])
  expect(attempts.map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['503', ERROR],
    ['reset', ERROR],
    [undefined, 0],
  ])
  expect(eventsOf(request)).toEqual([
    ['retry', { 'breakwater.cause': '503', 'breakwater.wait_ms': 2_000 }],
    ['retry', { 'breakwater.cause': 'reset', 'breakwater.wait_ms': 4_000 }],
  ])
  expect(request.events.map(({ at }) => at)).toEqual([ns(0), ns(2_000)])
  expect([request.start, request.end]).toEqual([ns(0), ns(6_000)])
  expect(request.attributes).toMatchObject({ 'breakwater.attempts': 3, 'breakwater.backoff_ms': 6_000 })
})

test('spans: show that a breaker opens and that it rejects; a rejected request has no attempt', async (t) => {
  const { url, spans } = await traced(t, [{ status: 500 }], {
    retry: { attempts: 1 },
    breaker: { consecutiveFailures: 1, patience: '0ms' },
  })
  await ask(`${url}/jobs/7`)
  expect(problemOf(await ask(`${url}/jobs/8`)).status).toBe(503)
  const all = await spans()
  const [opened, rejected] = all.filter(({ kind }) => kind === SERVER)
  expect(opened?.events[0]).toMatchObject({
    name: 'breaker',
    attributes: {
      'breakwater.breaker.from': 'closed',
      'breakwater.breaker.to': 'open',
      'breakwater.cause': 'consecutive',
    },
  })
  expect(opened).toMatchObject({ status: { code: ERROR, message: '' }, attributes: { 'error.type': '500' } })
  expect(rejected).toMatchObject({
    status: { code: ERROR, message: 'Circuit breaker open' },
    attributes: { 'error.type': 'breaker_open', 'http.response.status_code': 503, 'breakwater.attempts': 0 },
    events: [],
  })
  expect(all.filter(({ kind }) => kind === CLIENT)).toHaveLength(1)
})

test('spans: a hedge that wins has its own span; the slower attempt has hedge_lost and no error', async (t) => {
  const settings = { hedge: { after: '500ms', max: 1 } }
  const { clock, upstream, url, spans } = await traced(t, ['hang', { body: 'fast' }], settings)
  const answer = ask(`${url}/jobs/7`, { headers: { traceparent: SAMPLED } })
  await upstream.arrival(1)
  await clock.elapse(500)
  await answer
  const { request, attempts } = split(await spans())
  expect(eventsOf(request)).toEqual([['hedge', { 'breakwater.outcome': 'won' }]])
  expect(attempts.map(({ attributes, status }) => [attributes['breakwater.reason'], status.code])).toEqual([
    ['hedge_lost', 0],
    [undefined, 0],
  ])
  expect(upstream.arrivals.map(parentOf).at(1)).toEqual([TRACE, attempts[1]?.spanId])
})

test('spans: each attempt has the port and URL of its endpoint', async (t) => {
  const clock = fakeClock()
  const bad = await scriptedUpstream(t, clock, [{ status: 503 }])
  const good = await scriptedUpstream(t, clock, [{ body: 'done' }])
  const web = { urls: [`${bad.origin}/v2`, `${good.origin}/v2`], listen: '127.0.0.1:0' }
  const { url, spans } = await traced(t, [], {}, { clock, random: () => 0, upstreams: { web } })
  await ask(`${url}/jobs/7`)
  const { request, attempts } = split(await spans())
  expect(attempts.map(({ attributes }) => [attributes['server.port'], attributes['url.full']])).toEqual([
    [bad.port, `${bad.origin}/v2/jobs/7`],
    [good.port, `${good.origin}/v2/jobs/7`],
  ])
  expect(request).toMatchObject({ name: 'GET', attributes: { 'breakwater.route': '*' } })
  expect(request.attributes['http.route']).toBeUndefined()
})

test('spans: when the client leaves, request and attempt end with client_gone and no error', async (t) => {
  const { proxy, upstream, url, spans } = await traced(t, ['hang'])
  const client = openRaw(Number(new URL(url).port))
  client.send('GET /jobs/7 HTTP/1.1\r\nhost: h\r\n\r\n')
  await upstream.arrival(1)
  client.socket.destroy()
  await proxy.logged(({ msg }) => msg === 'request')
  const { request, attempts } = split(await spans())
  for (const { attributes, status } of [request, ...attempts]) {
    expect(attributes).toMatchObject({ 'breakwater.reason': 'client_gone' })
    expect([attributes['http.response.status_code'], attributes['error.type'], status.code]).toEqual([
      undefined,
      undefined,
      0,
    ])
  }
})

test('spans: a truncated response body is an error of the request, not of the attempt', async (t) => {
  const torn: Scene = (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('some')
    setImmediate(() => response.socket?.resetAndDestroy())
  }
  // With a second attempt the small body would be asked for again.
  const { proxy, url, spans } = await traced(t, [torn], { retry: { attempts: 1 } })
  await expect(ask(`${url}/jobs/7`)).rejects.toThrow()
  await proxy.logged(({ msg }) => msg === 'request')
  const { request, attempts } = split(await spans())
  expect(request).toMatchObject({
    status: { code: ERROR, message: 'Upstream broke off its response' },
    attributes: { 'http.response.status_code': 200, 'error.type': 'body_truncated' },
  })
  expect(attempts[0]?.status.code).toBe(0)
})

test('spans: each request of a shared call has one; the second request links to the one attempt', async (t) => {
  const gate: { open?: () => void } = {}
  const scene: Scene = (_, response) => {
    gate.open = () => void response.end('one')
  }
  const { proxy, upstream, url, spans } = await traced(t, [scene], { collapse: true })
  const first = ask(`${url}/jobs/7`, { headers: { traceparent: SAMPLED } })
  await upstream.begun(1)
  const second = ask(`${url}/jobs/7`)
  await proxy.logged(({ msg }) => msg === 'shared')
  gate.open?.()
  await Promise.all([first, second])
  const all = await spans()
  const attempts = all.filter(({ kind }) => kind === CLIENT)
  expect(attempts).toHaveLength(1)
  const [attempt] = attempts
  const joined = all.find(({ kind, traceId }) => kind === SERVER && traceId !== TRACE)
  expect(joined?.links).toEqual([{ traceId: TRACE, spanId: attempt?.spanId }])
  expect(joined && eventsOf(joined)).toEqual([['shared', { 'breakwater.by': 'collapse' }]])
  expect(all.find(({ spanId }) => spanId === attempt?.parentId)).toMatchObject({ traceId: TRACE, links: [] })
})

test('spans: the attempt of a shared call is sent although its first client left', async (t) => {
  const gate: { open?: () => void } = {}
  const scene: Scene = (_, response) => {
    gate.open = () => void response.end('one')
  }
  const { proxy, upstream, url, spans } = await traced(t, [scene], { collapse: true })
  const { host, port } = new URL(url)
  const first = openRaw(Number(port))
  first.send(`GET /jobs/7 HTTP/1.1\r\nhost: ${host}\r\ntraceparent: ${SAMPLED}\r\n\r\n`)
  await upstream.begun(1)
  const second = ask(`${url}/jobs/7`, { headers: { traceparent: UNSAMPLED } })
  await proxy.logged(({ msg }) => msg === 'shared')
  first.socket.destroy()
  await proxy.logged(({ msg, reason }) => msg === 'request' && reason === 'client_gone')
  gate.open?.()
  await second
  const { request, attempts } = split(await spans())
  expect(request.attributes['breakwater.reason']).toBe('client_gone')
  expect(attempts).toMatchObject([{ traceId: TRACE, parentId: request.spanId, status: { code: 0 } }])
  expect(parentOf(upstream.arrivals[0])).toEqual([TRACE, attempts[0]?.spanId])
})

test('spans: a request of an unknown upstream has a span', async (t) => {
  const { proxy, spans } = await traced(t, [])
  await ask(`${proxy.url}/nowhere/x`, { headers: { traceparent: SAMPLED } })
  const { request } = split(await spans())
  expect(request).toMatchObject({
    traceId: TRACE,
    parentId: CALLER,
    name: 'GET',
    status: { code: 0 },
    attributes: { 'breakwater.reason': 'unknown_upstream', 'http.response.status_code': 404 },
  })
})

test('spans: a request with an unknown method has the name HTTP and the method _OTHER', async (t) => {
  const { url, spans } = await traced(t, [{}], { routes: [] })
  await ask(`${url}/x`, { method: 'PROPFIND' })
  const { request } = split(await spans())
  expect(request).toMatchObject({
    name: 'HTTP',
    attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': 'PROPFIND' },
  })
})

test('exemplars: a bucket has the trace id of a sampled request, also among unsampled ones', async (t) => {
  const { proxy, url } = await traced(t, [{}])
  const counted = () => proxy.log.filter(({ msg }) => msg === 'request').length
  const told = async (...traceparents: string[]) => {
    const before = counted()
    for (const value of traceparents) await ask(`${url}/jobs/7`, { headers: ['host', 'h', 'traceparent', value] })
    await expect.poll(counted).toBe(before + traceparents.length)
    const headers = { accept: 'application/openmetrics-text' }
    const text = await (await fetch(`${proxy.controlUrl}/metrics`, { headers })).text()
    return [...text.matchAll(/^breakwater_request_duration_seconds_bucket.* # \{(.*)\} /gm)].map(
      ([, labels = '']) => /trace_id="(\w+)"/.exec(labels)?.[1],
    )
  }
  expect(await told(UNSAMPLED, SAMPLED, UNSAMPLED)).toEqual([TRACE])
  expect(await told(UNSAMPLED)).toEqual([undefined])
})

test('tracing.resource: adds attributes, and does not override service.name', async (t) => {
  const resource = 'k8s.pod.name=worker-7f,service.instance.id=mine,service.name=theirs'
  const { receiver, url, spans } = await traced(t, [{}], {}, { tracing: { resource } })
  await ask(`${url}/jobs/7`)
  await spans()
  expect(receiver.calls[0]?.resource).toMatchObject({
    'k8s.pod.name': 'worker-7f',
    'service.instance.id': 'mine',
    'service.name': 'test',
  })
})

test('traceparent: an unsampled one is forwarded unchanged, and no span is sent', async (t) => {
  const { upstream, receiver, url, spans } = await traced(t, [{}])
  await ask(`${url}/jobs/7`, { headers: ['host', 'h', 'TraceParent', UNSAMPLED, 'tracestate', 'v=1'] })
  expect(await spans()).toEqual([])
  expect(receiver.calls).toEqual([])
  const { rawHeaders = [] } = upstream.arrivals[0] ?? {}
  expect(rawHeaders.filter((_, i) => /^trace/i.test(rawHeaders[i - (i % 2)] ?? ''))).toEqual([
    'TraceParent',
    UNSAMPLED,
    'tracestate',
    'v=1',
  ])
})

test('tracing.sample: the trace id decides, and the upstream gets the sampled flag', async (t) => {
  const halves = ['7fffffff-ffff-4fff-bf7f-ffffffffffff', '80000000-0000-4000-8080-000000000000']
  const ids = [...halves, ...Array.from({ length: 9 }, (_, i) => `00000000-0000-4000-8000-00000000000${i + 1}`)]
  const newId = () => ids.shift() ?? ''
  const { upstream, url, spans } = await traced(t, [{}], {}, { tracing: { sample: 0.5 }, newId: instanceFirst(newId) })
  await ask(`${url}/jobs/1`)
  await ask(`${url}/jobs/2`)
  const all = await spans()
  expect(upstream.arrivals.map(({ headers }) => [headers.traceparent, headers['x-request-id']])).toEqual([
    ['00-7fffffffffff4fffbf7fffffffffffff-bf7fffffffffffff-00', halves[0]],
    [`00-80000000000040008080000000000000-${all.find(({ kind }) => kind === CLIENT)?.spanId}-01`, halves[1]],
  ])
  expect(new Set(all.map(({ traceId }) => traceId))).toEqual(new Set(['80000000000040008080000000000000']))
  expect(split(all).request.parentId).toBe('')
})

/** Answers the first call with a fixed id: it is the id of the sidecar instance. */
function instanceFirst(newId: () => string): () => string {
  let isFirst = true
  return () => {
    if (!isFirst) return newId()
    isFirst = false
    return '00000000-0000-4000-8000-0000000000ff'
  }
}

test.for([
  [0, 0],
  [1, 2],
])('tracing.sample: with %d a request that begins a trace makes %d spans', async ([sample, count], t) => {
  const { url, spans } = await traced(t, [{}], {}, { tracing: { sample } })
  await ask(`${url}/jobs/1`)
  expect(await spans()).toHaveLength(count ?? 0)
})

test.for([
  ['of version ff', `ff-${TRACE}-${CALLER}-01`],
  ['with more than version 00 has', `${SAMPLED}-more`],
  ['with a trace of zeros', `00-${'0'.repeat(32)}-${CALLER}-01`],
  ['with a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['in capitals', SAMPLED.toUpperCase()],
  ['of another form', 'hunter2'],
])('traceparent: one %s begins a new trace, and the tracestate is dropped', async ([, traceparent], t) => {
  const { upstream, url, spans } = await traced(t, [{}])
  await ask(`${url}/jobs/1`, { headers: { traceparent, tracestate: 'v=1' } })
  const { request, attempts } = split(await spans())
  expect(request).toMatchObject({ parentId: '' })
  expect(request.traceId).not.toBe(TRACE)
  expect(parentOf(upstream.arrivals[0])).toEqual([request.traceId, attempts[0]?.spanId])
  expect(upstream.arrivals[0]?.headers.tracestate).toBeUndefined()
})

test('traceparent: of a later version, the fields of version 00 are read', async (t) => {
  const { url, upstream, spans } = await traced(t, [{}])
  await ask(`${url}/jobs/1`, { headers: { traceparent: `cc-${TRACE}-${CALLER}-ff-more` } })
  expect(split(await spans()).request).toMatchObject({ traceId: TRACE, parentId: CALLER })
  expect(upstream.arrivals[0]?.headers.traceparent).toMatch(/-03$/)
})

test('tracing off: the traceparent is forwarded byte for byte, and no span is sent', async (t) => {
  const odd = 'FF-whatever; this=is'
  const { receiver, upstream, proxy, url, spans } = await traced(t, [{}], {}, { top: {} })
  await ask(`${url}/jobs/1`, { headers: ['host', 'h', 'TRACEPARENT', odd] })
  expect(upstream.arrivals[0]?.rawHeaders).toContain('TRACEPARENT')
  expect(upstream.arrivals[0]?.headers.traceparent).toBe(odd)
  expect([...(await proxy.metrics()).keys()].filter((name) => name.includes('span'))).toEqual([])
  await spans()
  expect(receiver.calls).toEqual([])
})

test('log: names the trace of a recorded request', async (t) => {
  const { proxy, url } = await traced(t, [{}])
  await ask(`${url}/jobs/1`, { headers: { traceparent: SAMPLED } })
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ trace_id: TRACE })
})

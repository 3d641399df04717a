import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { type Answer, ask, openRaw, problemOf } from '../support/client.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** A clock whose `now` throws once, on the first call whose stack matches the pattern given to `set`. */
function trapped(clock: FakeClock) {
  let place: RegExp | undefined
  const now = () => {
    const from = place
    if (from?.test(new Error('where').stack ?? '')) {
      place = undefined
      throw new Error('a defect, on purpose')
    }
    return clock.now()
  }
  const set = (from: RegExp) => {
    place = from
  }
  return { clock: { ...clock, now }, set, isSprung: () => place === undefined }
}

const PLACES = [
  { name: 'the beginning of a request', from: /new Visit/ },
  { name: 'the first byte of an attempt', from: /started .*attempt\.ts/ },
  { name: 'a response head', from: /#finish .*attempt\.ts[\s\S]*head .*attempt\.ts/ },
  { name: 'the head that is relayed', from: /#answer .*visit\.ts/ },
  { name: 'a chunk that is relayed', from: /data .*relay\.ts/ },
  { name: 'the end of a body that is relayed', from: /end .*relay\.ts/ },
  { name: 'the end of a request', from: /#report .*visit\.ts/ },
  { name: 'a connection that is made', from: /client-connection\.ts[\s\S]*(afterConnect|onConnect|node:net)/ },
]

test.for(PLACES)('defect: an error at $name affects that request alone', async ({ from }, t) => {
  const trap = trapped(fakeClock())
  const upstream = await scriptedUpstream(t, trap.clock, [
    { body: 'first' },
    (request, response) => {
      if (!request.url?.startsWith('/victim')) return void response.end('well')
      response.writeHead(200, { 'content-length': 10_000 })
      response.write(Buffer.alloc(5_000))
      setImmediate(() => response.end(Buffer.alloc(5_000)))
    },
  ])
  const proxy = await startProxy(t, {
    clock: trap.clock,
    upstreams: {
      web: { url: upstream.origin, retry: { attempts: 1 } },
      other: { url: upstream.origin },
      third: { url: upstream.origin },
    },
  })
  await ask(`${proxy.url}/web/warm`)
  trap.set(from)
  const victim = await ask(`${proxy.url}/other/victim`).catch((error: Error) => error)
  expect(trap.isSprung()).toBe(true)
  if (!(victim instanceof Error) && victim.status !== 200) expect(problemOf(victim)).toMatchObject({ status: 500 })
  expect(await proxy.logged(({ msg }) => msg === 'fault')).toMatchObject({
    err: { message: 'a defect, on purpose' },
  })
  const samples = await proxy.metrics()
  const breakers = [...samples].filter(([name]) => name.startsWith(METRICS.breakerState.name))
  expect(breakers.map(([, state]) => state)).toEqual([0, 0, 0])
  const bystander = await ask(`${proxy.url}/third/`)
  expect([bystander.status, String(bystander.body)]).toEqual([200, 'well'])
})

test('log: an error while a line is written fails no request', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'well' }])
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: upstream.origin } },
    onLine: ({ msg }) => {
      if (msg === 'attempt' || msg === 'request') throw new Error('no room for lines')
    },
  })
  const answers = await Promise.all([1, 2, 3].map(() => ask(`${proxy.url}/web/`)))
  expect(answers.map(({ status, body }) => [status, String(body)])).toEqual([1, 2, 3].map(() => [200, 'well']))
  expect(await proxy.logged(({ msg }) => msg === 'fault')).toMatchObject({
    where: 'observer',
    err: { message: 'no room for lines' },
  })
})

const RESOLVERS = [
  {
    name: 'throws',
    resolve: () => {
      throw new Error('no resolver')
    },
  }, // prettier-ignore
  { name: 'answers nonsense', resolve: async () => [{ address: 'nonsense', family: 4 }] },
  { name: 'answers nothing', resolve: async () => [] },
]

test.for(RESOLVERS)('DNS: a resolver that $name fails requests to its own upstream alone', async ({ resolve }, t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'well' }])
  const proxy = await startProxy(t, {
    clock,
    resolve,
    upstreams: { named: { url: 'http://upstream.invalid', retry: { attempts: 1 } }, web: { url: upstream.origin } },
  })
  const [lost, well] = await Promise.all([ask(`${proxy.url}/named/`), ask(`${proxy.url}/web/`)])
  expect([lost.status, well.status]).toEqual([502, 200])
})

test('defect: an error in random or newId fails that request alone', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503 }, { body: 'well' }])
  const broken = { random: false, newId: false }
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: upstream.origin } },
    random: () => {
      if (broken.random) throw new Error('no chance')
      return 0.5
    },
    newId: () => {
      if (broken.newId) throw new Error('no name')
      return '00000000-0000-4000-8000-000000000000'
    },
  })
  const statusOf = async (answer: Promise<Answer>) => (await answer).status
  broken.random = true
  expect(await statusOf(ask(`${proxy.url}/web/`))).toBe(500)
  broken.random = false
  broken.newId = true
  expect(await statusOf(ask(`${proxy.url}/web/`))).toBe(500)
  broken.newId = false
  expect(await statusOf(ask(`${proxy.url}/web/`))).toBe(200)
})

/** Malformed and unusual answers. Each is sent in reply to a request, and its connection is then closed. */
const HOSTILE = [
  '\0\0\0\0',
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\nbytes',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
  `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(200_000)}\r\n\r\n`,
  'HTTP/1.1 099 Odd\r\n\r\n',
  'HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 \x01\x02\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nset-cookie: a\x80\xff\r\nconnection: x, close\r\nx: 1\r\ncontent-length: 0\r\n\r\n',
]

test('upstream: a malformed answer does not affect requests to another upstream', async (t) => {
  const clock = fakeClock()
  const well = await scriptedUpstream(t, clock, [{ body: 'well' }])
  let n = 0
  const hostile = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => socket.end(HOSTILE[n % HOSTILE.length] ?? '', 'latin1'))
  })
  const port = await listening(hostile)
  t.onTestFinished(() => void hostile.close())
  const proxy = await startProxy(t, {
    clock,
    defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 1000, failureRate: false } },
    upstreams: { web: { url: well.origin }, odd: { url: `http://127.0.0.1:${port}` } },
  })
  for (n = 0; n < HOSTILE.length; n += 1) {
    await ask(`${proxy.url}/odd/`).catch((error: Error) => error)
    const raw = openRaw(Number(new URL(proxy.url).port))
    raw.send('GET /odd/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    await Promise.race([raw.until(/\r\n\r\n/), raw.ended])
    raw.socket.destroy()
    expect(String((await ask(`${proxy.url}/web/`)).body)).toBe('well')
  }
  expect(proxy.log.filter(({ msg }) => msg === 'fault')).toEqual([])
})

const MALFORMED = [
  { sent: 'nonsense\r\n\r\n', status: 400, reason: 'bad_request' },
  { sent: 'GET / HTTP/1.1\r\n\r\n', status: 400, reason: 'bad_request' },
  { sent: 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', status: 400, reason: 'bad_request' },
  { sent: `GET / HTTP/1.1\r\nHost: x\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`, status: 431, reason: 'head_too_large' },
  {
    sent: 'POST / HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n',
    status: 417,
    reason: 'expectation_failed',
  }, // prettier-ignore
  {
    sent: 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    status: 400,
    reason: 'bad_request',
  },
  { sent: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400, reason: 'bad_request' },
  { sent: '\x16\x03\x01\x02\x00\x01\x00', status: 400, reason: 'bad_request' },
]

test.for(MALFORMED)(
  'malformed request: is answered, logged and counted: $status for $sent',
  async ({ sent, status, reason }, t) => {
    const { proxy, port } = await withSidecar(t, [{ body: 'well' }], { web: { retry: { attempts: 1 } } })
    const raw = openRaw(port)
    raw.send(sent)
    const seen = await raw.until(/\r\n\r\n\{.*\}$/)
    expect(seen.slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
    expect(seen).toContain(`"type":"urn:breakwater:${reason}"`)
    await raw.ended
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status, reason })
    const samples = await proxy.metrics()
    const counted = [...samples].filter(([name]) => name.includes(`reason="${reason}"`)).map(([, value]) => value)
    expect(counted.reduce((sum, value) => sum + value, 0)).toBe(1)
  },
)

test('malformed request: is answered after the pending answer on its connection', async (t) => {
  const answering = Promise.withResolvers<void>()
  const { upstream, proxy, port } = await withSidecar(t, [
    async (_request, response) => {
      await answering.promise
      response.end('first')
    },
  ])
  const raw = openRaw(port)
  raw.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.begun(1)
  raw.send('nonsense\r\n\r\n')
  await ask(`${proxy.controlUrl}/livez`)
  answering.resolve()
  expect(await raw.until(/bad_request.*\}$/)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*first[\s\S]*HTTP\/1\.1 400/)
  await raw.ended
})

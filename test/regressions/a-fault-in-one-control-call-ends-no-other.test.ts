import { expect, type TestContext, test } from 'vitest'
import { startApp } from '../../src/app.ts'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { type Operation, operation, PLAIN, type Reply, streamed, text } from '../../src/control/api/operation.ts'
import { startControl } from '../../src/control/api/server.ts'
import { systemClock } from '../../src/clock.ts'
import { emitTo, type Event } from '../../src/events.ts'
import { systemResolve } from '../../src/net/dns-cache.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'

const plain = (path: string, answer: () => Reply | Promise<Reply>): Operation =>
  operation({ ...PLAIN, id: path, method: 'GET', path, summary: '', answers: {}, answer })

/** Starts a control listener with the given operations, and collects its events. */
async function control(t: TestContext, ...operations: Operation[]) {
  const events: Event[] = []
  const server = await startControl({
    key: 'control.listen',
    host: '127.0.0.1',
    port: 0,
    token: '',
    maxBodyBytes: 1_000,
    operations: [...operations, plain('/well', () => text('well'))],
    emit: (event) => events.push(event),
  })
  t.onTestFinished(() => server.close())
  const url = `http://127.0.0.1:${server.address.port}`
  const isWell = async () => (await ask(`${url}/well`)).body.toString() === 'well'
  return { server, url, port: server.address.port, events, isWell }
}

test('control: an answer that cannot be written is a 500 and a fault, and the next call is served', async (t) => {
  const { url, events, isWell } = await control(
    t,
    plain('/torn', () => ({ status: 200, headers: { 'x-name': 'line\nfeed' }, body: 'never' })),
    plain('/odd', () => ({ status: 42, headers: {}, body: 'never' })),
  )
  for (const path of ['/torn', '/odd']) expect(problemOf(await ask(`${url}${path}`)).status).toBe(500)
  expect(events.map((event) => event.kind === 'fault' && event.where)).toEqual(['control', 'control'])
  expect(await isWell()).toBe(true)
})

test('control: a stream whose source throws is cut; a write after the end of a stream is ignored', async (t) => {
  let push: (line: string) => void = () => {}
  const { server, url, port, events, isWell } = await control(
    t,
    plain('/broken', () =>
      streamed((write) => {
        write('data: first\n\n')
        throw new Error('no more')
      }),
    ),
    plain('/live', () =>
      streamed((write) => {
        push = write
        write('data: here\n\n')
        return () => {
          throw new Error('cannot stop')
        }
      }),
    ),
  )
  await expect(ask(`${url}/broken`)).rejects.toThrow()
  const reader = openRaw(port)
  reader.send('GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  await reader.until(/here/)
  expect(await isWell()).toBe(true)
  const closed = server.close()
  push('data: too late\n\n')
  await closed
  await reader.ended
  expect(reader.received).not.toContain('too late')
  expect(events.map((event) => event.kind === 'fault' && [event.where, String(event.error)])).toEqual([
    ['stream', 'Error: no more'],
    ['stream', 'Error: cannot stop'],
  ])
})

test('control: upgrades, CONNECT, Expect and malformed requests do not affect other calls', async (t) => {
  const { port, isWell, events } = await control(t)
  const HEAD = 'Host: 127.0.0.1\r\n'
  const cases: readonly (readonly [request: string, answer: RegExp | undefined])[] = [
    [`GET /well HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, /^HTTP\/1.1 200/],
    [`CONNECT other:443 HTTP/1.1\r\n${HEAD}\r\n`, undefined],
    [`GET /well HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx`, /HTTP\/1.1 200/],
    [`GET /well HTTP/1.1\r\n${HEAD}Expect: patience\r\n\r\n`, /^HTTP\/1.1 417/],
    ['GET /well HTTP/9.9\r\n\r\n', /^HTTP\/1.1 400/],
    [`GET /well HTTP/1.1\r\n${HEAD}A: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
  ]
  for (const [request, answer] of cases) {
    const raw = openRaw(port)
    raw.send(request)
    if (answer === undefined) await raw.ended
    else await raw.until(answer)
    raw.socket.resetAndDestroy()
    expect([request.slice(0, 20), await isWell()]).toEqual([request.slice(0, 20), true])
  }
  expect(events).toEqual([])
})

test('events: an observer that throws misses the event; the others get the event and a fault', () => {
  const heard: Event[] = []
  const emit = emitTo([
    (event) => {
      if (event.kind !== 'drained') throw new Error('cannot record')
    },
    (event) => heard.push(event),
  ])
  emit({ kind: 'draining', inFlight: 0 })
  emit({ kind: 'drained', cut: 0 })
  expect(heard.map((event) => (event.kind === 'fault' ? `fault ${event.where}` : event.kind))).toEqual([
    'fault observer',
    'draining',
    'drained',
  ])
})

test('timers: an error in a callback is reported as a fault; later timers still fire', async () => {
  const standing = fakeClock()
  for (const [clock, pass] of [
    [standing, () => standing.advance(10)] as const,
    [systemClock, () => undefined] as const,
  ]) {
    const heard: unknown[] = []
    const fired = Promise.withResolvers<string>()
    const unwatch = clock.watch({ stalled: () => {}, fault: (error) => heard.push(error) })
    clock.after(5, () => {
      throw new Error('late')
    })
    clock.after(6, () => fired.resolve('next'))
    await pass()
    expect([await fired.promise, heard]).toMatchObject(['next', [{ message: 'late' }]])
    unwatch()
  }
})

test('log: a log that cannot be written fails no request, and is counted', async (t) => {
  const file = {
    version: 1,
    listen: '127.0.0.1:0',
    control: { listen: '127.0.0.1:0' },
    checkpoints: { store: 'memory:' },
    log: { access: true },
    upstreams: { web: { url: 'http://127.0.0.1:9' } },
  }
  const loaded = loadConfig(JSON.stringify(file), 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  let isBroken = false
  const logTo = {
    write: () => {
      if (isBroken) throw new Error('no log')
    },
  }
  const outside = { clock: fakeClock(), random: () => 0.5, newId: () => 'id', version: 'test', resolve: systemResolve }
  const app = await startApp({ ...loaded, warnings: [] }, { ...outside, logTo })
  t.onTestFinished(async () => {
    isBroken = false
    await app.close()
  })
  isBroken = true
  const url = `http://127.0.0.1:${app.addresses().shared?.port}`
  expect([(await ask(`${url}/nowhere`)).status, (await ask(`${url}/nowhere`)).status]).toEqual([404, 404])
  const scrape = (await ask(`http://127.0.0.1:${app.addresses().control.port}/metrics`)).body.toString()
  expect(scrape).toMatch(/breakwater_faults_total\{where="observer"\} [12]\n/)
  expect(scrape).toContain(metric('unrouted', { reason: 'unknown_upstream' }))
})

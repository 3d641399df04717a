import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const hints = (bytes: number) => `HTTP/1.1 103 Early Hints\r\nlink: </${'a'.repeat(bytes)}>\r\n\r\n`
const FINAL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone'

test.for([
  { count: 100, status: 200 },
  { count: 101, status: 502 },
])('interim: with $count responses before it the answer is a $status', async ({ count, status }, t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [
    (request) => void request.socket.write(hints(1).repeat(count) + FINAL),
  ])
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: upstream.origin } } })
  const answer = await ask(`${proxy.url}/web/`)
  expect([answer.status, answer.informational.length]).toEqual([status, 100])
  if (status === 502) expect(problemOf(answer)).toMatchObject({ type: 'urn:breakwater:protocol' })
})

test('interim: responses are dropped while the client does not read; its answer still arrives', async (t) => {
  const hold = { json: '/status', in: ['queued'], upTo: '12s', every: '1s' }
  const { clock, proxy, port } = await withSidecar(
    t,
    [
      async (request) => {
        const { socket } = request
        for (let n = 0; n < 99; n += 1) if (!socket.write(hints(15_000))) await once(socket, 'drain')
        socket.write(
          'HTTP/1.1 200 OK\r\ncontent-length: 20\r\ncontent-type: application/json\r\n\r\n{"status": "queued"}',
        )
      },
    ],
    { web: { routes: [{ match: 'GET /poll', hold }] } },
  )
  const raw = openRaw(port)
  raw.socket.pause()
  raw.send('GET /poll HTTP/1.1\r\nhost: x\r\n\r\n')
  for (let n = 1; n <= 12; n += 1) {
    await proxy.logged(({ msg }) => msg === 'attempt' && proxy.log.filter((line) => line.msg === 'attempt').length >= n)
    await clock.elapse(1_000)
  }
  raw.socket.resume()
  const seen = await raw.until(/queued"\}$/)
  expect(seen.match(/ 103 /g)?.length).toBeLessThan(12 * 99)
  raw.socket.destroy()
})

test('interim: those of a pipelined request come after the answer before it', async (t) => {
  const first = Promise.withResolvers<void>()
  const { upstream, port } = await withSidecar(t, [
    async (_request, response) => {
      await first.promise
      response.end('first')
    },
    (request) => void request.socket.write(hints(1) + FINAL),
  ])
  const raw = openRaw(port)
  raw.send('GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n')
  await upstream.begun(1)
  first.resolve()
  expect(await raw.until(/done$/)).toMatch(/first[\s\S]* 103 [\s\S]* 200 [\s\S]*done$/)
  raw.socket.destroy()
})

test('interim: each 102 restarts timeout.attempt, but not timeout.total', async (t) => {
  const clock = fakeClock()
  const server: { response?: ServerResponse } = {}
  const upstream = await scriptedUpstream(t, clock, [
    (_request, response) => {
      server.response = response
    },
  ])
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: upstream.origin, timeout: { attempt: '4s', total: '9s' }, retry: { attempts: 1 } } },
  })
  const answer = ask(`${proxy.url}/web/`)
  await upstream.begun(1)
  for (let n = 0; n < 2; n += 1) {
    await clock.advance(3_000)
    server.response?.writeProcessing()
    await new Promise<void>((resolve) => server.response?.socket?.write('', () => resolve()))
    await ask(`${proxy.controlUrl}/livez`)
  }
  await clock.advance(2_999)
  expect(upstream.openSockets()).toBe(1)
  await clock.advance(1)
  expect(problemOf(await answer)).toMatchObject({ type: 'urn:breakwater:total_timeout' })
})

import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'

/** Ways in which one attempt fails, some of them during the upload. */
const failure = fc.oneof(
  fc.constant<Scene>('reset'),
  fc.constant<Scene>('close'),
  fc.constant<Scene>({ status: 503, body: 'busy' }),
  fc.constant<Scene>({ status: 503, body: 'busy', headers: { connection: 'close' } }),
  fc.nat(200_000).map(resetAfter),
  fc.constant<Scene>({ status: 503, body: 'early', early: true, headers: { connection: 'close' } }),
)

function resetAfter(bytes: number): Scene {
  return (request) => {
    let seen = 0
    request.on('data', (chunk: Buffer) => {
      seen += chunk.length
      if (seen >= bytes) request.socket.resetAndDestroy()
    })
    request.on('end', () => request.socket.resetAndDestroy())
  }
}

/** Bytes. */
const MEMORY = [0, 1, 1_000, 64 * 1024, 1024 * 1024]
const DISK = [0, 1_000, 100_000, 1024 * 1024]

const upload = fc.record({
  chunks: fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 6 }),
  declared: fc.boolean(),
  failures: fc.array(failure, { maxLength: 4 }),
  memory: fc.constantFrom(...MEMORY),
  disk: fc.constantFrom(...DISK),
})

test('request body: for any failure, the upstream gets every byte or the client an error', async (t) => {
  // What the upstream does for a plan stands in the places of the requests that are still to come.
  const scenes: Scene[] = []
  const upstream = await scriptedUpstream(t, systemClock, scenes)
  const nameOf = ({ memory, disk }: { readonly memory: number; readonly disk: number }) => `m${memory}-d${disk}`
  const limits = MEMORY.flatMap((memory) => DISK.map((disk) => ({ memory, disk })))
  const proxy = await startProxy(t, {
    clock: systemClock,
    upstreams: Object.fromEntries(
      limits.map(({ memory, disk }) => [
        nameOf({ memory, disk }),
        {
          url: upstream.origin,
          listen: '127.0.0.1:0',
          breaker: { consecutiveFailures: 100_000, failureRate: false },
          retry: {
            attempts: 6,
            backoff: { initial: '1ms', max: '1ms' },
            budget: { ratio: 1, minPerSecond: 1_000 },
            bodyBuffer: { memory: `${memory}B`, disk: `${disk}B` },
          },
        },
      ]),
    ),
  })
  await fc.assert(
    fc.asyncProperty(upload, async (plan) => {
      const since = upstream.count()
      while (scenes.length < since) scenes.push({})
      scenes.length = since
      scenes.push(...plan.failures, { body: 'taken' })
      const parts = plan.chunks.map((size, i) => Buffer.alloc(size, i + 1))
      const body = Buffer.concat(parts)
      const headers = plan.declared ? { 'content-length': String(body.length) } : {}
      const answer = await ask(proxy.own(nameOf(plan)), { method: 'PUT', headers, body: Readable.from(parts) }).catch(
        () => undefined,
      )
      const arrivals = upstream.arrivals.slice(since)
      for (const arrival of arrivals) {
        if (arrival?.whole) expect(arrival.body.equals(body)).toBe(true)
      }
      if (answer?.status === 200) {
        expect(answer.body.toString()).toBe('taken')
        expect(arrivals.at(-1)).toMatchObject({ whole: true })
      }
      const small = plan.chunks.length === 0 || body.length <= plan.memory
      const repeatable = plan.failures.every(
        (scene) => typeof scene === 'string' || ('status' in scene && !scene.early),
      )
      if (small && repeatable) expect(answer?.status).toBe(200)
    }),
    { numRuns: 300 },
  )
}, 60_000)

test('response body: arrives byte for byte, for any chunk sizes', async (t) => {
  let parts: Buffer[] = []
  const play: Scene = (_request, response) => {
    const chunk = (bytes: Buffer) =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
    const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    response.socket?.write(Buffer.concat([head, ...parts.map(chunk), Buffer.from('0\r\n\r\n')]))
    response.detachSocket(response.socket ?? new Socket())
  }
  const upstream = await scriptedUpstream(t, systemClock, [play])
  const proxy = await startProxy(t, {
    clock: systemClock,
    upstreams: {
      web: { url: upstream.origin, listen: '127.0.0.1:0', retry: { attempts: 1 }, connections: { max: 1 } },
    },
  })
  const size = fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 3_500, max: 5_000 }),
    fc.integer({ min: 1, max: 90_000 }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(size, { maxLength: 6 }), async (sizes) => {
      parts = sizes.map((bytes, i) => Buffer.alloc(bytes, i + 1))
      const { body } = await ask(proxy.own('web'), { headers: { 'x-fresh': 'yes' } })
      expect(body.equals(Buffer.concat(parts))).toBe(true)
    }),
    { numRuns: 150 },
  )
}, 60_000)

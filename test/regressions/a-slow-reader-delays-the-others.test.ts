/**
 * Of two clients of a shared call one read at 3 MB/s. The other waited for it (8.5 s in place of 0.1 s), and one that fell 1 MiB
 * behind for a second was cut, though it read all the time.
 */

import { once } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { Fanout, freshUnread } from '../../src/policy/collapse/fanout.ts'
import type { BodySink } from '../../src/policy/exchange.ts'
import { ReplyBase } from '../../src/policy/reply-base.ts'
import { ask, openRaw } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const MIB = 1024 * 1024

/** A client that does not read, and the upstream's response to it and to the one that is to join. */
async function withSlowReader(t: Scope) {
  const answered = Promise.withResolvers<ServerResponse>()
  const scene: Scene = (_, response) => answered.resolve(response)
  const fixture = await withSidecar(t, [scene], {
    defaults: { timeout: { idle: '20s' } },
    web: { routes: [{ match: 'GET /file', collapse: true }] },
    path: '/file',
  })
  const slow = openRaw(fixture.port)
  slow.send(`GET /file HTTP/1.1\r\nHost: 127.0.0.1:${fixture.port}\r\nConnection: close\r\n\r\n`)
  slow.socket.pause()
  const response = await answered.promise
  const joined = fixture.proxy.logged(({ msg }) => msg === 'shared')
  return { ...fixture, slow, response, joined }
}

test('collapse: a slow reader of a shared response delays no other and gets every byte', {
  timeout: 60_000,
}, async (t) => {
  const { url, slow, response, joined } = await withSlowReader(t)
  const fast = ask(url)
  await joined
  const body = Buffer.alloc(16 * MIB, 'abc')
  response.writeHead(200, { 'content-length': body.length }).end(body)
  expect((await fast).body.equals(body)).toBe(true)
  slow.socket.resume()
  expect(await slow.ended).toBe('end')
  expect(slow.received.slice(slow.received.indexOf('\r\n\r\n') + 4)).toBe(body.toString('latin1'))
})

test('collapse: a reader of a shared response that does not read at all is cut by its idle timeout', {
  timeout: 60_000,
}, async (t) => {
  const { clock, url, slow, response, joined } = await withSlowReader(t)
  const fast = get(url, { agent: false })
  await joined
  const half = Buffer.alloc(50 * MIB)
  response.writeHead(200, { 'content-length': 2 * half.length }).write(half)
  const [incoming] = (await once(fast, 'response')) as [IncomingMessage]
  let bytes = 0
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  const ended = once(incoming, 'end')
  while (bytes < half.length) await once(incoming, 'data')
  await clock.advance(1_000)
  response.end(half)
  while (bytes < 60 * MIB) await once(incoming, 'data')
  await clock.advance(19_000)
  await ended
  expect(bytes).toBe(2 * half.length)
  slow.socket.resume()
  expect(await slow.ended).toBe('reset')
})

/** A response whose chunks the test delivers. */
class Source extends ReplyBase {
  resumed = 0
  pipe(): void {}
  resume(): void {
    this.resumed += 1
  }
  discard(): void {}
  watch(): void {}
}

/** A reader that takes what comes while `reads`. */
class Reader implements BodySink {
  bytes = 0
  reads: boolean
  constructor(reads: boolean) {
    this.reads = reads
  }
  data(chunk: Buffer): boolean {
    this.bytes += chunk.length
    return this.reads
  }
  end(): void {}
  fail(): void {}
}

function shared(unread: ReturnType<typeof freshUnread>, ...readers: readonly Reader[]) {
  const source = new Source()
  const fanout = new Fanout(source, unread)
  const branches = readers.map((reader) => {
    const branch = fanout.branch()
    branch.pipe(reader)
    return branch
  })
  return { source, fanout, branches }
}

const CHUNK = Buffer.alloc(MIB)

test('collapse: 64 MiB unread of all shared responses stop those that have a slow reader, and no other', () => {
  const unread = freshUnread()
  const [slow, fast, fastest] = [new Reader(false), new Reader(true), new Reader(true)]
  const stopped = shared(unread, slow, slow, fast)
  let flows = true
  let chunks = 0
  for (; flows && chunks < 100; chunks += 1) flows = stopped.fanout.data(CHUNK)
  expect([chunks, unread.bytes > 63 * MIB, unread.bytes < 66 * MIB]).toEqual([65, true, true])

  const another = shared(unread, new Reader(false), new Reader(true))
  expect(another.fanout.data(CHUNK)).toBe(false)
  expect(shared(unread, fastest, new Reader(true)).fanout.data(CHUNK)).toBe(true)

  slow.reads = true
  stopped.branches[0]?.resume()
  expect(stopped.source.resumed).toBe(0)
  stopped.branches[1]?.resume()
  expect([stopped.source.resumed, another.source.resumed]).toEqual([1, 1])
  expect(slow.bytes).toBe(2 * 65 * MIB)
  expect(unread.bytes).toBe(0)
})

test('collapse: chunks are freed once the last reader of a shared response has them or has left', () => {
  const unread = freshUnread()
  const [slow, stuck] = [new Reader(false), new Reader(false)]
  const { fanout, branches, source } = shared(unread, slow, stuck, new Reader(true))
  for (let i = 0; i < 4; i += 1) fanout.data(CHUNK)
  const cost = unread.bytes / 3
  expect(cost).toBeLessThan(MIB + 1024)
  branches[0]?.resume()
  expect(unread.bytes).toBe(3 * cost)
  branches[1]?.discard('cancelled')
  expect(unread.bytes).toBe(2 * cost)
  branches[2]?.discard('cancelled')
  branches[0]?.discard('cancelled')
  expect([unread.bytes, unread.waiting.size, source.resumed]).toEqual([0, 0, 0])
})

test('collapse: a shared body that came whole before it was read takes no room and can be read', () => {
  const unread = freshUnread()
  const fanout = new Fanout(new Source(), unread)
  const branch = fanout.branch()
  expect(fanout.data(CHUNK)).toBe(true)
  expect(fanout.data(CHUNK)).toBe(false)
  fanout.end([])
  const reader = new Reader(true)
  branch.pipe(reader)
  expect([unread.bytes, reader.bytes]).toEqual([0, 2 * MIB])
})

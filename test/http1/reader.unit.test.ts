import { expect, test, vi } from 'vitest'
import type { MessageFault } from '../../src/http1/head.ts'
import { RequestReader, ResponseReader } from '../../src/http1/reader.ts'
import { LIMITS, piecesOf } from './messages.ts'

const bytesOf = (text: string) => Buffer.from(text, 'latin1')

/** What a reader has told, in order, with the pieces of a body joined. */
class Told {
  readonly list: string[] = []
  head = (head: { method: string; target: string } | { status: number }) =>
    void this.list.push('method' in head ? `${head.method} ${head.target}` : `${head.status}`)
  interim = (head: { status: number }) => void this.list.push(`interim ${head.status}`)
  data = (chunk: Buffer) => {
    const last = this.list.at(-1)
    if (last?.startsWith('body ')) this.list[this.list.length - 1] = last + chunk.toString('latin1')
    else this.list.push(`body ${chunk.toString('latin1')}`)
  }
  end = (trailers: readonly string[]) => void this.list.push(`end ${trailers.join()}`)
  fault = (fault: MessageFault) => void this.list.push(`fault ${fault.kind}`)
}

/** Reads requests one after the other. */
function requests(pieces: readonly Buffer[], limits = LIMITS): string[] {
  const told = new Told()
  const reader: RequestReader = new RequestReader(
    {
      head: told.head,
      data: told.data,
      end: (trailers) => {
        told.end(trailers)
        reader.next()
      },
      fault: told.fault,
    },
    limits,
  )
  for (const piece of pieces) reader.feed(piece)
  reader.ended()
  return told.list
}

function responses(
  pieces: readonly Buffer[],
  methods: readonly string[],
  isCleanEnd = true,
  limits = LIMITS,
): string[] {
  const told = new Told()
  const reader = new ResponseReader(told, limits)
  for (const method of methods) reader.expect(method)
  for (const piece of pieces) reader.feed(piece)
  const rest = reader.waiting > 0 ? [`rest ${reader.takeRest().toString('latin1')}`] : []
  reader.ended(isCleanEnd)
  return [...told.list, ...rest]
}

/** The bytes whole, cut at each place, at each two places that are not far from each other, and byte by byte. */
function* splittings(bytes: Buffer): Generator<Buffer[]> {
  yield [bytes]
  for (let at = 1; at < bytes.length; at += 1) {
    yield piecesOf(bytes, [at])
    for (let width = 1; width < 6; width += 1) yield piecesOf(bytes, [at, Math.min(bytes.length, at + width)])
  }
  yield piecesOf(bytes, [...bytes.keys()])
}

const small = { maxHeadBytes: 120, maxFields: 5, maxTargetBytes: 20 }

test.each([
  [
    'three in a row',
    'GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /c HTTP/1.0\r\n\r\n',
    ['GET /a', 'end ', 'POST /b', 'body abc', 'end ', 'GET /c', 'end '],
  ],
  [
    'chunks, extensions and trailers',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a="b"\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
    ['POST /', 'body abc', 'end X,y', 'GET /', 'end '],
  ],
  [
    'empty lines before and between',
    '\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n\r\n',
    ['GET /a', 'end ', 'GET /b', 'end '],
  ],
  ['a head that breaks off', 'GET / HTTP/1.1\r\nHost: a\r\n', ['fault incomplete']],
  [
    'a body that breaks off',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab',
    ['POST /', 'body ab', 'fault incomplete'],
  ],
  [
    'a chunk that breaks off',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na',
    ['POST /', 'body a', 'fault incomplete'],
  ],
  [
    'a chunk size that is none',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\n',
    ['POST /', 'body a', 'fault malformed'],
  ],
  [
    'a fault after a request',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/3.1\r\nHost: a\r\n\r\n',
    ['GET /', 'end ', 'fault version'],
  ],
  ['a bare LF before a request', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', ['fault malformed']],
  ['a bare CR before a request', '\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n', ['fault malformed']],
  ['17 empty lines', '\r\n'.repeat(17), ['fault malformed']],
  ['16 empty lines', '\r\n'.repeat(16), []],
  ['half an empty line', '\r', []],
  ['a bare LF in a head', 'GET / HTTP/1.1\nHost: a\r\n\r\n', ['fault malformed']],
  ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['fault preface']],
  ['a head over its limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(90)}\r\n\r\n`, ['fault head_too_large']],
  ['a head of just its limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(88)}\r\n\r\n`, ['GET /', 'end ']],
  ['a target over its limit', `GET /${'x'.repeat(20)} HTTP/1.1\r\nHost: a\r\n\r\n`, ['fault target_too_long']],
  ['a target over both limits', `GET /${'x'.repeat(200)} HTTP/1.1\r\nHost: a\r\n\r\n`, ['fault target_too_long']],
  ['too many fields', `GET / HTTP/1.0\r\n${'a:b\r\n'.repeat(6)}\r\n`, ['fault head_too_large']],
])('reader: %s, in any pieces', (_, text, told) => {
  const limits = /limit|too many/.test(_) ? small : LIMITS
  for (const pieces of splittings(bytesOf(text))) expect(requests(pieces, limits)).toEqual(told)
})

test.each([
  [
    'interim responses, a length, an end',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\nrest',
    ['GET', 'GET'],
    ['interim 100', 'interim 103', '200', 'body ab', 'end ', '200', 'body rest', 'end '],
  ],
  [
    'a response to HEAD and one with chunks',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\na: b\r\n\r\n',
    ['HEAD', 'GET'],
    ['200', 'end ', '200', 'body a', 'end a,b'],
  ],
  ['an upgrade', 'HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\nHTTP/1.1', ['GET'], ['101', 'rest HTTP/1.1']],
  ['an empty line before a response', '\r\nHTTP/1.1 200 OK\r\n\r\n', ['GET'], ['fault malformed']],
  ['no HTTP', '<html></html>', ['GET'], ['fault malformed']],
  ['a broken head', 'HTTP/1.1 200 OK\r\nConte', ['GET'], ['fault incomplete']],
  ['nothing after an interim response', 'HTTP/1.1 100 x\r\n\r\n', ['GET'], ['interim 100', 'fault incomplete']],
  ['nothing', '', ['GET'], ['fault incomplete']],
  ['nothing, when nothing is due', '', [], []],
  ['an end that delimits one of two', 'HTTP/1.1 200 x\r\n\r\n', ['GET', 'GET'], ['200', 'end ', 'fault incomplete']],
  ['one response fewer than requests', 'HTTP/1.1 204 x\r\n\r\n', ['GET', 'GET'], ['204', 'end ', 'fault incomplete']],
  ['a byte when nothing is due', 'H', [], ['fault unasked']],
  ['a byte after a response', 'HTTP/1.1 204 x\r\n\r\n\n', ['GET'], ['204', 'end ', 'fault unasked']],
  [
    'a byte after a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab',
    ['GET'],
    ['200', 'body a', 'end ', 'fault unasked'],
  ],
])('reader: %s from a server, in any pieces', (_, text, methods, told) => {
  for (const pieces of splittings(bytesOf(text))) expect(responses(pieces, methods)).toEqual(told)
})

test('reader: a body that only the end delimits is whole after a clean end alone', () => {
  const pieces = [bytesOf('HTTP/1.1 200 OK\r\n\r\nab')]
  expect(responses(pieces, ['GET'], true)).toEqual(['200', 'body ab', 'end '])
  expect(responses(pieces, ['GET'], false)).toEqual(['200', 'body ab', 'fault incomplete'])
  expect(responses([bytesOf('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab')], ['GET'], false)).toEqual([
    '200',
    'body ab',
    'end ',
  ])
})

test.each([
  ['a method that is no token', '(', 'malformed'],
  ['a method too long', 'G'.repeat(65), 'malformed'],
  ['a TLS ClientHello', '\x16\x03\x01', 'malformed'],
  ['a preface of HTTP/2', 'PRI ', 'preface'],
  ['a bare LF', 'GET / HTTP/1.1\n', 'malformed'],
  ['a CR without LF', 'GET / HTTP/1.1\rH', 'malformed'],
  ['a NUL', 'GET / HTTP/1.1\r\nHost: \0', 'malformed'],
  ['a version that is none', 'GET / HTTP/1.1x\r\n', 'malformed'],
  ['another version', 'GET / HTTP/1.7\r\n', 'version'],
  ['a head over its limit', `GET / HTTP/1.1\r\n${'a'.repeat(104)}`, 'head_too_large'],
  ['a target over its limit', `GET /${'a'.repeat(120)}`, 'target_too_long'],
])('reader: %s is refused before the head is whole', (_, text, kind) => {
  for (const pieces of [[bytesOf(text)], piecesOf(bytesOf(text), [...bytesOf(text).keys()])]) {
    const told = new Told()
    const reader = new RequestReader(told, small)
    for (const piece of pieces) reader.feed(piece)
    expect(told.list).toEqual([`fault ${kind}`])
  }
})

test.each([
  ['no HTTP', 'HTTQ'],
  ['TLS', '\x15\x03\x03'],
  ['a status that is none', 'HTTP/1.1 9\r\n'],
])('reader: %s from a server is refused before the head is whole', (_, text) => {
  expect(responses([bytesOf(text)], ['GET']).slice(0, 1)).toEqual(['fault malformed'])
  const told = new Told()
  const reader = new ResponseReader(told, LIMITS)
  reader.expect('GET')
  for (const piece of piecesOf(bytesOf(text), [...bytesOf(text).keys()])) reader.feed(piece)
  expect(told.list).toEqual(['fault malformed'])
})

test('reader: keeps what follows a request until next, and gives it away for an upgrade', () => {
  const told = new Told()
  const reader = new RequestReader(told, LIMITS)
  reader.feed(bytesOf('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT'))
  reader.feed(bytesOf('TP/1.1\r\nHost: a\r\n\r\nxy'))
  expect(told.list).toEqual(['GET /a', 'end '])
  expect(reader.waiting).toBe('GET /b HTTP/1.1\r\nHost: a\r\n\r\nxy'.length)
  expect(reader.isBetween).toBe(false)
  reader.next()
  expect(told.list).toEqual(['GET /a', 'end ', 'GET /b', 'end '])
  reader.feed(bytesOf('z'))
  expect(String(reader.takeRest())).toBe('xyz')
  reader.feed(bytesOf('('))
  expect(told.list).toHaveLength(4)
})

test('reader: next before the end of a request is a defect', () => {
  const reader = new RequestReader(new Told(), LIMITS)
  expect(() => reader.next()).toThrow('not over')
})

test('reader: is between requests until the first byte of one, empty lines aside', () => {
  const reader = new RequestReader(new Told(), LIMITS)
  expect(reader.isBetween).toBe(true)
  reader.feed(bytesOf('\r\n\r'))
  expect(reader.isBetween).toBe(true)
  reader.feed(bytesOf('\nG'))
  expect(reader.isBetween).toBe(false)
  reader.feed(bytesOf('ET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  expect(reader.isBetween).toBe(false)
  reader.next()
  expect(reader.isBetween).toBe(true)
})

test('reader: is between responses until the first byte of one, also of an interim one', () => {
  const reader = new ResponseReader(new Told(), LIMITS)
  reader.expect('GET')
  expect(reader.isBetween).toBe(true)
  reader.feed(bytesOf('HTTP/1.1 100 x\r\n\r\n'))
  expect(reader.isBetween).toBe(false)
  reader.feed(bytesOf('HTTP/1.1 204 x\r\n\r\n'))
  expect(reader.isBetween).toBe(true)
})

test('reader: a client that ends early is told of after next, when it left half a request', () => {
  const told = new Told()
  const reader = new RequestReader(told, LIMITS)
  reader.feed(bytesOf('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET'))
  reader.ended()
  expect(told.list).toEqual(['GET /a', 'end '])
  reader.next()
  expect(told.list).toEqual(['GET /a', 'end ', 'fault incomplete'])
})

test('reader: unasked bytes are no response to a request that is sent within end', () => {
  const told = new Told()
  const reader: ResponseReader = new ResponseReader(
    {
      ...told,
      end: (trailers) => {
        told.end(trailers)
        reader.expect('GET')
      },
    },
    LIMITS,
  )
  reader.expect('GET')
  reader.feed(bytesOf('HTTP/1.1 204 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  expect(told.list).toEqual(['204', 'end ', 'fault unasked'])
})

test.each(['head', 'data', 'end'] as const)('reader: nothing comes after stop within %s', (name) => {
  const told = new Told()
  const stopped: string[] = []
  const reader: RequestReader = new RequestReader(
    {
      ...told,
      end: (trailers) => {
        told.end(trailers)
        reader.next()
      },
      [name]: () => {
        stopped.push(name)
        reader.stop()
      },
    },
    LIMITS,
  )
  const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\nGET /'
  reader.feed(bytesOf(text))
  const before = [...told.list]
  reader.feed(bytesOf(text))
  reader.ended()
  expect(stopped).toEqual([name])
  expect(told.list).toEqual(before)
  expect(told.list).not.toContain('GET /')
  expect(reader.waiting).toBe(0)
})

test('reader: a callback that throws loses no byte', () => {
  const told = new Told()
  let throws = true
  const reader: RequestReader = new RequestReader(
    {
      ...told,
      data: (chunk) => {
        told.data(chunk)
        if (throws) throw new Error('of the callback')
      },
    },
    LIMITS,
  )
  const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n'
  expect(() => reader.feed(bytesOf(text))).toThrow('of the callback')
  expect(told.list).toEqual(['POST /', 'body a'])
  throws = false
  reader.feed(bytesOf('0\r\n\r\n'))
  expect(told.list).toEqual(['POST /', 'body ab', 'end '])
})

test('reader: bytes that are fed within a callback come after those at hand', () => {
  const told = new Told()
  const reader: RequestReader = new RequestReader(
    {
      ...told,
      head: (head) => {
        told.head(head)
        reader.feed(bytesOf('cd'))
      },
    },
    LIMITS,
  )
  reader.feed(bytesOf('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab'))
  expect(told.list).toEqual(['POST /', 'body abcd', 'end '])
})

test('reader: 100,000 requests in one piece need no deep stack', () => {
  const one = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  expect(requests([bytesOf(one.repeat(100_000))])).toHaveLength(200_000)
})

test('reader: a head in many pieces is copied once, a body never', () => {
  const told = new Told()
  const chunks: Buffer[] = []
  const reader = new RequestReader({ ...told, data: (chunk) => void chunks.push(chunk) }, LIMITS)
  reader.feed(bytesOf('PUT / HTTP/1.1\r\nHo'))
  const rest = bytesOf('st: a\r\nContent-Length: 6\r\n\r\nabc')
  reader.feed(rest)
  const last = bytesOf('def')
  reader.feed(last)
  expect(chunks.map(String)).toEqual(['abc', 'def'])
  expect(chunks[0]?.buffer).toBe(rest.buffer)
  expect(chunks[1]).toBe(last)
})

test('reader: the memory of a head that comes byte by byte grows by doubling', () => {
  const head = bytesOf(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}\r\n\r\n`)
  const pieces = piecesOf(head, [...head.keys()])
  const allocUnsafe = vi.spyOn(Buffer, 'allocUnsafe')
  try {
    expect(requests(pieces)).toEqual(['GET /', 'end '])
    expect(allocUnsafe.mock.calls.length).toBeLessThan(10)
  } finally {
    allocUnsafe.mockRestore()
  }
})

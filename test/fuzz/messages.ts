/** Responses of the mutating upstream, before it cuts, delays or changes them. */

import type { Chance } from './chance.ts'
import { patternOf } from './pattern.ts'

export type Question = {
  readonly id: string
  readonly upstream: string
  readonly method: string
  readonly fields: ReadonlyMap<string, string>
}

export type Message = {
  readonly name: string
  readonly head: Buffer
  readonly body: Buffer
  /** The end of the connection is the end of the body. */
  readonly endsWithConnection: boolean
}

type Lines = readonly string[]

const JSON_UPSTREAMS = new Set(['held', 'watched', 'mixed'])
const SIZES = [0, 1, 10, 300, 5_000, 70_000, 300_000]

/** Body size of an id. Each call of an id gets the same size, so that a body can be resumed. */
const sizeOf = (id: string, chance: Chance) => chance.fork(`size ${id}`).oneOf(SIZES)

/** @param sizes draws the body size of each id. */
export function soundMessage(question: Question, chance: Chance, sizes: Chance): Message {
  const { id, upstream, method, fields } = question
  const range = /^bytes=(\d+)-$/.exec(fields.get('range') ?? '')
  if (JSON_UPSTREAMS.has(upstream) && chance.often(0.7)) return jsonMessage(question, chance)
  if (chance.often(0.1)) return bare(question, chance.oneOf([204, 304, 205]))
  const size = sizeOf(id, sizes)
  const from = Number(range?.[1] ?? 0)
  if (range !== null && from < size && chance.often(0.8)) return partOf(question, chance, from, size)
  const status = chance.oneOf([200, 200, 200, 201, 404, 429, 500, 503])
  const lines = [
    `etag: "${id}"`,
    'accept-ranges: bytes',
    `x-length: ${size}`,
    'x-pattern: 1',
    ...waitOf(status, chance),
  ]
  return framed(question, chance, status, lines, patternOf(id, 0, method === 'HEAD' ? 0 : size), size)
}

const waitOf = (status: number, chance: Chance): Lines =>
  status === 503 || status === 429 ? [`retry-after: ${chance.oneOf(['0', '1', 'soon', '-1', '99999999999'])}`] : []

function jsonMessage(question: Question, chance: Chance): Message {
  const status = chance.oneOf(['queued', 'queued', 'processing', 'done', 'failed', null, 7])
  const pad = chance.often(0.1) ? 'x'.repeat(chance.between(1_000, 300_000)) : ''
  const text = JSON.stringify({ id: question.id, status, pad })
  const body = Buffer.from(chance.often(0.1) ? text.slice(0, -chance.between(1, 5)) : text)
  const lines = ['content-type: application/json', `x-length: ${body.length}`]
  return framed(question, chance, 200, lines, question.method === 'HEAD' ? Buffer.alloc(0) : body, body.length)
}

function bare({ id }: Question, status: number): Message {
  const lines = status === 205 ? ['content-length: 0'] : []
  return {
    name: String(status),
    head: headOf(status, [`x-echo: ${id}`, ...lines]),
    body: Buffer.alloc(0),
    endsWithConnection: false,
  }
}

/** A 206 with the requested range, or with one fault. */
function partOf({ id, method }: Question, chance: Chance, from: number, size: number): Message {
  const wrong = chance.often(0.5)
    ? chance.oneOf(['longer', 'shorter', 'elsewhere', 'etag', 'coding', 'chunked'] as const)
    : 'right'
  const rest = size - from
  const length =
    wrong === 'longer' ? rest + chance.between(1, 100) : wrong === 'shorter' ? chance.between(0, rest - 1) : rest
  const start = wrong === 'elsewhere' ? from + 1 : from
  const body = method === 'HEAD' ? Buffer.alloc(0) : patternOf(id, start, length)
  const lines = [
    `x-echo: ${id}`,
    `x-from: ${start}`,
    'x-pattern: 1',
    `x-length: ${length}`,
    `etag: "${wrong === 'etag' ? 'other' : id}"`,
    `content-range: bytes ${start}-${size - 1}/${size}`,
    ...(wrong === 'coding' ? ['content-encoding: gzip'] : []),
  ]
  if (wrong === 'chunked' && method !== 'HEAD')
    return {
      name: '206 chunked',
      head: headOf(206, [...lines, 'transfer-encoding: chunked']),
      body: chunked(body, chance),
      endsWithConnection: false,
    }
  return {
    name: `206 ${wrong}`,
    head: headOf(206, [...lines, `content-length: ${length}`]),
    body,
    endsWithConnection: false,
  }
}

function framed(
  question: Question,
  chance: Chance,
  status: number,
  lines: Lines,
  body: Buffer,
  length: number,
): Message {
  const framing = chance.oneOf(['length', 'length', 'chunked', 'end'] as const)
  const all = [`x-echo: ${question.id}`, ...lines, ...(chance.often(0.1) ? ['connection: close'] : [])]
  const name = `${status} ${framing} of ${length}`
  const isHead = question.method === 'HEAD'
  if (framing === 'chunked')
    return {
      name,
      head: headOf(status, [...all, 'transfer-encoding: chunked']),
      body: isHead ? body : chunked(body, chance),
      endsWithConnection: false,
    }
  if (framing === 'end' && !isHead) return { name, head: headOf(status, all), body, endsWithConnection: true }
  return { name, head: headOf(status, [...all, `content-length: ${length}`]), body, endsWithConnection: false }
}

function chunked(body: Buffer, chance: Chance): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + chance.oneOf([1, 100, 4_096, 65_536]) + (body.length >> 6))
    const extension = chance.often(0.1) ? ';name="a b"' : ''
    pieces.push(Buffer.from(`${piece.length.toString(16)}${extension}\r\n`), piece, Buffer.from('\r\n'))
    at += piece.length
  }
  const trailers = chance.often(0.2) ? 'x-sum: 1\r\n' : ''
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${trailers}\r\n`)])
}

/** A response with an invalid or unusual head, as raw bytes. */
export function faultyMessage({ id }: Question, chance: Chance): Message {
  const ok = `HTTP/1.1 200 OK\r\nx-echo: ${id}\r\n`
  const all: Readonly<Record<string, string>> = {
    'two lengths': `${ok}content-length: 4\r\ncontent-length: 5\r\n\r\nabcd`,
    'negative length': `${ok}content-length: -4\r\n\r\nabcd`,
    'length beside chunked': `${ok}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`,
    'chunked twice': `${ok}transfer-encoding: chunked, chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`,
    'gzip coding': `${ok}transfer-encoding: gzip\r\n\r\nabcd`,
    'bad chunk size': `${ok}transfer-encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n`,
    'huge chunk size': `${ok}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabcd`,
    'folded field': `${ok}x-a: b\r\n c\r\ncontent-length: 4\r\n\r\nabcd`,
    'control character': `${ok}x-a: b\x01c\r\ncontent-length: 4\r\n\r\nabcd`,
    'NUL in a field': `${ok}x-a: b\0c\r\ncontent-length: 4\r\n\r\nabcd`,
    'space before the colon': `${ok}content-length : 4\r\n\r\nabcd`,
    'bare LF': `HTTP/1.1 200 OK\nx-echo: ${id}\ncontent-length: 4\n\nabcd`,
    'status 99': `HTTP/1.1 99 OK\r\ncontent-length: 0\r\n\r\n`,
    'status 999': `HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n`,
    'status 1000': `HTTP/1.1 1000 OK\r\ncontent-length: 0\r\n\r\n`,
    'no reason': `HTTP/1.1 200\r\nx-echo: ${id}\r\ncontent-length: 4\r\n\r\nabcd`,
    'odd reason': `HTTP/1.1 200 \xe9\x7f\x01\r\nx-echo: ${id}\r\ncontent-length: 4\r\n\r\nabcd`,
    'HTTP/1.0': `HTTP/1.0 200 OK\r\nx-echo: ${id}\r\ncontent-length: 4\r\n\r\nabcd`,
    'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/3.7': `HTTP/3.7 200 OK\r\ncontent-length: 0\r\n\r\n`,
    'no HTTP': '220 mail.example ESMTP\r\n',
    'an unasked 101': 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    'a 100 and no more': 'HTTP/1.1 100 Continue\r\n\r\n',
    'a huge field': `${ok}x-pad: ${'x'.repeat(chance.oneOf([17_000, 70_000, 1_000_000]))}\r\ncontent-length: 4\r\n\r\nabcd`,
    'many fields': `${ok}${'x-a: b\r\n'.repeat(chance.oneOf([200, 3_000]))}content-length: 4\r\n\r\nabcd`,
    'a loop of redirects': `HTTP/1.1 302 Found\r\nlocation: //${'a'.repeat(20)}\x80/%zz?\r\ncontent-length: 0\r\n\r\n`,
    'odd framing fields': `${ok}connection: content-length, x-echo\r\ncontent-length: 4\r\ntrailer: content-length\r\n\r\nabcd`,
    'an odd date': `${ok}retry-after: Thu, 99 Foo 2026 99:99:99 GMT\r\nage: 1e9\r\ncontent-length: 4\r\n\r\nabcd`,
  }
  const name = chance.oneOf(Object.keys(all))
  return {
    name,
    head: Buffer.from(all[name] ?? '', 'latin1'),
    body: Buffer.alloc(0),
    endsWithConnection: chance.often(0.3),
  }
}

export function headOf(status: number, lines: Lines): Buffer {
  return Buffer.from(`HTTP/1.1 ${status} Word\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1')
}

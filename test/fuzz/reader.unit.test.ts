import { expect, test } from 'vitest'
import { patternOf } from './pattern.ts'
import { ResponseReader } from './reader.ts'

const ID = 't7r0'
const asked = (method: string, id = ID) => ({ id, method, offersUpgrade: false, isSound: true })

/** Faults that the reader finds in these bytes. Feeds them in pieces of four sizes, which have to agree. */
function faultsOf(text: string, requests = [asked('GET')]) {
  const seen = [1, 2, 7, text.length].map((size) => {
    const reader = new ResponseReader(requests, () => {})
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size))
    reader.end()
    return { faults: reader.faults, answers: reader.answers }
  })
  const [first] = seen
  for (const one of seen)
    expect({ ...one, faults: one.faults.length }).toEqual({ ...first, faults: first?.faults.length })
  return seen.at(-1)
}

const body = (from: number, length: number) => patternOf(ID, from, length).toString('latin1')
const whole = `HTTP/1.1 200 OK\r\nx-echo: ${ID}\r\nx-pattern: 1\r\nx-length: 20\r\ncontent-length: 20\r\n\r\n${body(0, 20)}`
const chunked = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-echo: ${ID}\r\nx-pattern: 1\r\n\r\n7;a=b\r\n${body(0, 7)}\r\n5\r\n${body(7, 5)}\r\n0\r\nx-sum: 1\r\n\r\n`

test.each([
  ['a body with a length', whole, [asked('GET')], 1],
  [
    'two bodies with a length after an interim response',
    `HTTP/1.1 103 \r\nlink: x\r\n\r\n${whole}${whole}`,
    [asked('GET'), asked('GET')],
    2,
  ],
  ['chunks with an extension and a trailer', chunked, [asked('GET')], 1],
  ['a body that the end of the connection delimits', `HTTP/1.1 200 OK\r\n\r\nabc`, [asked('GET')], 1],
  ['a HEAD and then a GET', `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${whole}`, [asked('HEAD'), asked('GET')], 2],
  ['a body that breaks off', whole.slice(0, -3), [asked('GET')], 0],
])('reader: %s has no fault', (_, text, requests, answers) => {
  expect(faultsOf(text, requests)).toEqual({ faults: [], answers })
})

test.each([
  ['bytes past the announced length', `${whole}x`],
  ['a second response to one request', `${whole}${whole}`],
  ['the response of another request', whole.replace(ID, 't9r0')],
  ['bytes of another body', whole.replace(body(0, 20), body(1, 20))],
  ['a body that ends early as if whole', whole.replace('content-length: 20', 'content-length: 17').slice(0, -3)],
  ['two lengths', whole.replace('content-length', 'content-length: 20\r\ncontent-length')],
  ['a length beside a coding', chunked.replace('x-pattern', 'content-length: 12\r\nx-pattern')],
  ['a chunk without its CRLF', chunked.replace('\r\n5\r\n', '5\r\n')],
  ['a bare LF in a head', whole.replace('\r\nx-length', '\nx-length')],
  ['a field without a name', whole.replace('x-length', ' x')],
  ['a 101 without an offered upgrade', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['an internal fault of the sidecar', 'HTTP/1.1 500 x\r\n\r\n{"type":"urn:breakwater:internal"}'],
  ['bytes after a response with connection: close', `${whole.replace('x-length', 'connection: close\r\nx-length')}H`],
])('reader: %s is reported', (_, text) => {
  expect(faultsOf(text)?.faults).toHaveLength(1)
})

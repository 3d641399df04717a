import { STATUS_CODES } from 'node:http'
import { expect, test } from 'vitest'
import { CHUNKED } from '../../src/http1/head.ts'
import {
  CHUNK_END,
  chunkHead,
  isReason,
  LAST_CHUNK,
  lastChunk,
  reasonOf,
  requestHeadText,
  responseHeadText,
} from '../../src/http1/write.ts'
import { readRequests, readResponses } from './messages.ts'

test('write: the head of a request', () => {
  expect(requestHeadText('POST', '/a?b', 'a:80', ['X', '1', 'x', ''], 7, 'close')).toBe(
    'POST /a?b HTTP/1.1\r\nhost: a:80\r\nX: 1\r\nx: \r\nconnection: close\r\ncontent-length: 7\r\n\r\n',
  )
  expect(requestHeadText('GET', '*', 'a', [], 'none', '')).toBe('GET * HTTP/1.1\r\nhost: a\r\n\r\n')
})

test('write: the head of a response', () => {
  expect(responseHeadText(200, 'OK', ['Host', 'x', 'a', '\xff'], CHUNKED, '')).toBe(
    'HTTP/1.1 200 OK\r\nHost: x\r\na: \xff\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  expect(responseHeadText(299, '', [], 0, '')).toBe('HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n')
})

test('write: the readers read what is written', () => {
  const body = `${chunkHead(17)}${'x'.repeat(17)}${CHUNK_END}${lastChunk(['a', 'b'])}`
  const message = { body: 'x'.repeat(17), trailers: ['a', 'b'], isWhole: true, keepAlive: true }
  const request = requestHeadText('POST', '/', 'a', ['X', 'y'], CHUNKED, '') + body
  expect(readRequests([Buffer.from(request, 'latin1')]).messages).toMatchObject([message])
  const response = responseHeadText(200, 'OK', ['X', 'y'], CHUNKED, '') + body
  expect(readResponses([Buffer.from(response, 'latin1')], ['GET']).messages).toMatchObject([message])
})

const SPLITTING = ['\r', '\n', '\0', 'a\r\nb: c', 'a\r\n\r\nGET / HTTP/1.1', '\x7f', '\x1b', '\u010a', '\u{1f600}']

test.each(SPLITTING)('write: %j is a defect anywhere in a head', (bad) => {
  const written = [
    () => requestHeadText(bad, '/', 'a', [], 'none', ''),
    () => requestHeadText('GET', bad, 'a', [], 'none', ''),
    () => requestHeadText('GET', '/', bad, [], 'none', ''),
    () => requestHeadText('GET', '/', 'a', [bad, 'b'], 'none', ''),
    () => requestHeadText('GET', '/', 'a', ['a', bad], 'none', ''),
    () => requestHeadText('GET', '/', 'a', [], 'none', bad),
    () => responseHeadText(200, bad, [], 0, ''),
    () => responseHeadText(200, 'OK', [bad, 'b'], 0, ''),
    () => responseHeadText(200, 'OK', ['a', bad], 0, ''),
    () => responseHeadText(200, 'OK', [], 0, bad),
    () => lastChunk([bad, 'b']),
    () => lastChunk(['a', bad]),
  ]
  for (const write of written) expect(write).toThrow(TypeError)
  expect(isReason(bad)).toBe(false)
})

test.each([
  ['an empty method', () => requestHeadText('', '/', 'a', [], 'none', '')],
  ['a method with a space', () => requestHeadText('A B', '/', 'a', [], 'none', '')],
  ['an empty target', () => requestHeadText('GET', '', 'a', [], 'none', '')],
  ['a target with a space', () => requestHeadText('GET', '/ b', 'a', [], 'none', '')],
  ['a target that is not encoded', () => requestHeadText('GET', '/\xe9', 'a', [], 'none', '')],
  ['an empty name', () => responseHeadText(200, 'OK', ['', 'a'], 0, '')],
  ['a name with a colon', () => responseHeadText(200, 'OK', ['a: b', 'c'], 0, '')],
  ['a second Host', () => requestHeadText('GET', '/', 'a', ['HOST', 'b'], 'none', '')],
  ['a second length', () => requestHeadText('GET', '/', 'a', ['Content-length', '1'], 1, '')],
  ['a length without framing', () => responseHeadText(200, 'OK', ['content-length', '1'], 'none', '')],
  ['a coding of the caller', () => responseHeadText(200, 'OK', ['transfer-Encoding', 'chunked'], CHUNKED, '')],
  ['a length in the trailers', () => lastChunk(['content-length', '1'])],
  ['a length that is no number', () => responseHeadText(200, 'OK', [], Number.NaN, '')],
  ['a negative length', () => responseHeadText(200, 'OK', [], -2, '')],
  ['a length with a fraction', () => responseHeadText(200, 'OK', [], 1.5, '')],
  ['a status below 100', () => responseHeadText(99, 'OK', [], 0, '')],
  ['a status above 599', () => responseHeadText(600, 'OK', [], 0, '')],
  ['a status with a fraction', () => responseHeadText(200.5, 'OK', [], 0, '')],
  ['an empty chunk, which would be the last one', () => chunkHead(0)],
])('write: %s is a defect', (_, write) => {
  expect(write).toThrow(TypeError)
})

test('write: chunks', () => {
  expect(chunkHead(1)).toBe('1\r\n')
  expect(chunkHead(65_535)).toBe('ffff\r\n')
  expect(lastChunk([])).toBe(LAST_CHUNK)
  expect(lastChunk(['a', 'b', 'c', ''])).toBe('0\r\na: b\r\nc: \r\n\r\n')
})

test('write: the reason phrases are those of node:http, but for names that RFC 9110 has changed', () => {
  const changed: Record<string, string> = { 413: 'Content Too Large', 422: 'Unprocessable Content' }
  const theirs = { ...STATUS_CODES, ...changed }
  for (let status = 100; status < 600; status += 1)
    if (reasonOf(status)) expect([status, reasonOf(status)]).toEqual([status, theirs[status]])
  expect(reasonOf(299)).toBe('')
  expect(isReason('Not \xff\tFound')).toBe(true)
})

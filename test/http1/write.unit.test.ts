import { STATUS_CODES } from 'node:http'
import { expect, test } from 'vitest'
import {
  CHUNK_END,
  CHUNKED_LINE,
  chunkHead,
  LAST_CHUNK,
  lastChunk,
  reasonOf,
  requestHeadText,
  responseHeadText,
} from '../../src/http1/write.ts'
import { readRequests, readResponses } from './messages.ts'

test('write: the head of a request', () => {
  expect(
    requestHeadText({ method: 'POST', target: '/a?b', host: 'a:80' }, ['X', '1', 'x', ''], 'connection: close\r\n'),
  ).toBe('POST /a?b HTTP/1.1\r\nhost: a:80\r\nX: 1\r\nx: \r\nconnection: close\r\n\r\n')
  expect(requestHeadText({ method: 'GET', target: '*', host: 'a' }, [], '')).toBe('GET * HTTP/1.1\r\nhost: a\r\n\r\n')
})

test('write: the head of a response', () => {
  expect(responseHeadText(200, 'OK', ['Host', 'x', 'a', '\xff'], CHUNKED_LINE)).toBe(
    'HTTP/1.1 200 OK\r\nHost: x\r\na: \xff\r\ntransfer-encoding: chunked\r\n\r\n',
  )
  expect(responseHeadText(299, '', [], '')).toBe('HTTP/1.1 299 \r\n\r\n')
})

test('write: the readers read what is written', () => {
  const body = `${chunkHead(17)}${'x'.repeat(17)}${CHUNK_END}${lastChunk(['a', 'b'])}`
  const message = { body: 'x'.repeat(17), trailers: ['a', 'b'], isWhole: true, keepAlive: true }
  const request = requestHeadText({ method: 'POST', target: '/', host: 'a' }, ['X', 'y'], CHUNKED_LINE) + body
  expect(readRequests([Buffer.from(request, 'latin1')]).messages).toMatchObject([message])
  const response = responseHeadText(200, 'OK', ['X', 'y'], CHUNKED_LINE) + body
  expect(readResponses([Buffer.from(response, 'latin1')], ['GET']).messages).toMatchObject([message])
})

const SPLITTING = ['\r', '\n', '\0', 'a\r\nb: c', 'a\r\n\r\nGET / HTTP/1.1', '\x7f', '\x1b', '\u010a', '\u{1f600}']

test.each(SPLITTING)('write: %j is a defect anywhere in a head', (bad) => {
  const written = [
    () => requestHeadText({ method: bad, target: '/', host: 'a' }, [], ''),
    () => requestHeadText({ method: 'GET', target: bad, host: 'a' }, [], ''),
    () => requestHeadText({ method: 'GET', target: '/', host: bad }, [], ''),
    () => requestHeadText({ method: 'GET', target: '/', host: 'a' }, [bad, 'b'], ''),
    () => requestHeadText({ method: 'GET', target: '/', host: 'a' }, ['a', bad], ''),
    () => responseHeadText(200, bad, [], ''),
    () => responseHeadText(200, 'OK', [bad, 'b'], ''),
    () => responseHeadText(200, 'OK', ['a', bad], ''),
    () => lastChunk([bad, 'b']),
    () => lastChunk(['a', bad]),
  ]
  for (const write of written) expect(write).toThrow(TypeError)
})

test.each([
  ['an empty method', () => requestHeadText({ method: '', target: '/', host: 'a' }, [], '')],
  ['a method with a space', () => requestHeadText({ method: 'A B', target: '/', host: 'a' }, [], '')],
  ['an empty target', () => requestHeadText({ method: 'GET', target: '', host: 'a' }, [], '')],
  ['a target with a space', () => requestHeadText({ method: 'GET', target: '/ b', host: 'a' }, [], '')],
  ['a target that is not encoded', () => requestHeadText({ method: 'GET', target: '/\xe9', host: 'a' }, [], '')],
  ['an empty name', () => responseHeadText(200, 'OK', ['', 'a'], '')],
  ['a name with a colon', () => responseHeadText(200, 'OK', ['a: b', 'c'], '')],
  ['a second Host', () => requestHeadText({ method: 'GET', target: '/', host: 'a' }, ['HOST', 'b'], '')],
  ['a coding of the caller', () => responseHeadText(200, 'OK', ['transfer-Encoding', 'chunked'], CHUNKED_LINE)],
  ['a status below 100', () => responseHeadText(99, 'OK', [], '')],
  ['a status above 999', () => responseHeadText(1000, 'OK', [], '')],
  ['a status with a fraction', () => responseHeadText(200.5, 'OK', [], '')],
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
  expect(responseHeadText(404, 'Not \xff\tFound', [], '')).toBe('HTTP/1.1 404 Not \xff\tFound\r\n\r\n')
})

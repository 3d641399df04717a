import type { Case, Group } from '../case.ts'
import { answered, nothingBehind, relayed, strictly } from '../checks.ts'
import { answer, get, HELLO, HOST, head, ok } from '../text.ts'

/** A response that is relayed with these fields as they are. */
const kept = (section: string, name: string, ...fields: readonly string[]): Case => ({
  section,
  name,
  client: [get()],
  upstream: [[ok('ok', ...fields)]],
  expect: [answered({ body: 'ok', ordered: fields })],
})

const status = (line: string, wanted: { status: number; reason: string }, ours?: true): Case => ({
  section: 'RFC 9112 4',
  name: `the status line ${JSON.stringify(line)} is relayed`,
  ...(ours && { ours }),
  client: [get()],
  upstream: [[`${head(`HTTP/1.1 ${line}`, 'Content-Length: 2')}ok`]],
  expect: [answered({ status: wanted.status, body: 'ok' }), strictly(answered({ ...wanted }))],
})

/** A response without content, whatever its fields say. */
const bare = (name: string, request: string, reply: string, wanted: Parameters<typeof answered>[0]): Case => ({
  section: 'RFC 9112 6.3',
  name,
  client: [request, { clientHas: '\r\n\r\n' }, get('/2')],
  upstream: [[reply]],
  expect: [answered(wanted), answered({ body: 'ok' }, 1), nothingBehind],
})

const HEAD = head('HEAD / HTTP/1.1', HOST)

export const responses: Group = {
  topic: 'Responses: status, fields, no content',
  cases: [
    status('200 OK', { status: 200, reason: 'OK' }),
    status('418 Short And Stout', { status: 418, reason: 'Short And Stout' }),
    status('200 ', { status: 200, reason: '' }),
    status('299 Unknown', { status: 299, reason: 'Unknown' }),
    status('599 Unknown', { status: 599, reason: 'Unknown' }),
    // Invalid, and to be treated as 5xx by a client (RFC 9110 section 15): some services have their own.
    status('600 Own', { status: 600, reason: 'Own' }, true),
    status('999 Request denied', { status: 999, reason: 'Request denied' }, true),
    status('200 \xe9\xff\tok', { status: 200, reason: '\xe9\xff\tok' }, true),
    status('407 Proxy Authentication Required', { status: 407, reason: 'Proxy Authentication Required' }),
    status('505 No', { status: 505, reason: 'No' }),
    {
      section: 'RFC 9112 4',
      name: 'a status line without a reason and its space is relayed',
      ours: true,
      client: [get()],
      upstream: [[`${head('HTTP/1.1 200', 'Content-Length: 2')}ok`]],
      expect: [answered({ status: 200, body: 'ok' })],
    },
    kept(
      'RFC 6265 3',
      'Set-Cookie fields are not joined',
      'Set-Cookie: a=1; Expires=Wed, 09 Jun 2027',
      'Set-Cookie: b=2',
    ),
    kept('RFC 9110 5.3', 'response fields of one name keep their order', 'X-A: 1', 'X-B: 2', 'X-A: 3'),
    { ...kept('RFC 9110 5.3', 'response fields keep the case of their names', 'x-B: 1', 'X-a: 2'), ours: true },
    kept('RFC 9110 5.5', 'bytes above 0x7F in a response field are kept', 'X-A: \xe9\xff'),
    kept('RFC 9110 5.5', 'an empty response field is relayed', 'X-A:'),
    kept('RFC 9110 5.1', 'an unknown response field is relayed', 'Never-Heard-Of: 1'),
    kept('RFC 9110 5.6.2', 'a response field of every token character is relayed', "X!#$%&'*+-.^_`|~9: 1"),
    kept('RFC 9110 8.8', 'validators are relayed', 'ETag: W/"a"', 'Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT'),
    kept('RFC 9111 5', 'fields for caches are relayed', 'Cache-Control: max-age=5, no-transform', 'Age: 3', 'Vary: *'),
    kept(
      'RFC 9110 11.6.1',
      'several challenges are relayed',
      'WWW-Authenticate: Basic realm="a"',
      'WWW-Authenticate: Other x="y, z"',
    ),
    { ...kept('RFC 9110 10.2.4', 'Server is relayed', 'Server: origin/1'), ours: true },
    kept('RFC 9110 8.4', 'a content coding is relayed unread', 'Content-Encoding: made-up', 'Content-Type: text/plain'),
    {
      section: 'RFC 9110 6.6.1',
      name: "Date is the upstream's",
      ours: true,
      client: [get()],
      upstream: [[`${head('HTTP/1.1 200 OK', 'Date: Thu, 01 Jan 2015 00:00:00 GMT', 'Content-Length: 2')}ok`]],
      expect: [answered({ body: 'ok', ordered: ['Date: Thu, 01 Jan 2015 00:00:00 GMT'] })],
    },
    {
      section: 'RFC 9110 6.6.1',
      name: 'a response without Date gets one',
      client: [get()],
      upstream: [[`${head('HTTP/1.1 200 OK', 'Content-Length: 2')}ok`]],
      expect: [
        answered({ body: 'ok' }),
        ({ responses }) =>
          responses[0]?.fields.some(([name]) => name.toLowerCase() === 'date') ? undefined : 'there is no Date',
      ],
    },
    bare('a response to HEAD has no content', HEAD, ok(''), { body: '' }),
    bare('a response to HEAD keeps its length', HEAD, head('HTTP/1.1 200 OK', 'Content-Length: 99'), {
      body: '',
      fields: ['Content-Length: 99'],
    }),
    bare('a chunked response to HEAD has no content', HEAD, head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), {
      body: '',
    }),
    bare('a response to HEAD without a length has no content', HEAD, answer('200 OK', ''), { body: '' }),
    bare('a 204 has no content', get(), answer('204 No Content', ''), { status: 204, absent: ['Transfer-Encoding'] }),
    bare('a 304 has no content', get(), answer('304 Not Modified', '', 'ETag: "a"'), {
      status: 304,
      fields: ['ETag: "a"'],
    }),
    bare('a 304 with a length has no content', get(), answer('304 Not Modified', '', 'Content-Length: 99'), {
      status: 304,
    }),
    bare(
      'a 304 that says chunked has no content',
      get(),
      answer('304 Not Modified', '', 'Transfer-Encoding: chunked'),
      {
        status: 304,
      },
    ),
    bare('a 204 to HEAD has no content', HEAD, answer('204 No Content', ''), { status: 204 }),
    {
      section: 'RFC 9110 8.6',
      name: 'a 204 is relayed without a Content-Length',
      client: [get()],
      upstream: [[answer('204 No Content', '', 'Content-Length: 0')]],
      expect: [answered({ status: 204 }), strictly(answered({ status: 204, absent: ['Content-Length'] }))],
    },
    {
      section: 'RFC 9110 15.3.6',
      name: 'a 205 without content is relayed',
      client: [get()],
      upstream: [[answer('205 Reset Content', '', 'Content-Length: 0')]],
      expect: [answered({ status: 205, body: '' })],
    },
    {
      section: 'RFC 9110 14.4',
      name: 'a range is relayed byte for byte',
      client: [get('/', 'Range: bytes=2-4')],
      upstream: [
        [answer('206 Partial Content', 'llo', 'Content-Range: bytes 2-4/5', 'Content-Length: 3', 'ETag: "a"')],
      ],
      expect: [
        relayed({ fields: ['Range: bytes=2-4'] }),
        answered({
          status: 206,
          body: 'llo',
          fields: ['Content-Range: bytes 2-4/5', 'ETag: "a"', 'Content-Length: 3'],
        }),
      ],
    },
    {
      section: 'RFC 9110 14.6',
      name: 'several ranges are relayed byte for byte',
      client: [get('/', 'Range: bytes=0-0,-1')],
      upstream: [
        [
          answer(
            '206 Partial Content',
            '--X\r\n\r\nh\r\n--X--',
            'Content-Type: multipart/byteranges; boundary=X',
            'Content-Length: 15',
          ),
        ],
      ],
      expect: [
        answered({
          status: 206,
          body: '--X\r\n\r\nh\r\n--X--',
          fields: ['Content-Type: multipart/byteranges; boundary=X'],
        }),
      ],
    },
    {
      section: 'RFC 9110 15.5.17',
      name: 'a 416 is relayed with its Content-Range',
      client: [get('/', 'Range: bytes=9-')],
      upstream: [[answer('416 Range Not Satisfiable', '', 'Content-Range: bytes */5', 'Content-Length: 0')]],
      expect: [answered({ status: 416, fields: ['Content-Range: bytes */5'] })],
    },
    {
      section: 'RFC 9110 13.1',
      name: 'a 412 is relayed',
      client: [get('/', 'If-Match: "b"')],
      upstream: [[answer('412 Precondition Failed', '', 'Content-Length: 0')]],
      expect: [answered(412), relayed({ fields: ['If-Match: "b"'] })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'a client of HTTP/1.0 gets no chunks',
      client: [head('GET / HTTP/1.0', HOST)],
      upstream: [[answer('200 OK', HELLO, 'Transfer-Encoding: chunked')]],
      expect: [answered({ body: 'hello', absent: ['Transfer-Encoding'] })],
    },
  ],
}

import type { Case, Group } from '../case.ts'
import { answered, badGateway, closed, endedBy, refused, relayed } from '../checks.ts'
import { answer, chunked, get, HOST, head } from '../text.ts'

const KIB = 1024
const served = answered({ body: 'ok' })

/** Limits are the sidecar's own: the RFCs leave them open. */
const ours = (section: string, name: string, rest: Pick<Case, 'client' | 'upstream' | 'expect'>): Case => ({
  section,
  name,
  ours: true,
  ...rest,
})

const many = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: ${n}`)

export const limits: Group = {
  topic: 'Limits',
  cases: [
    ours('RFC 9110 5.4', 'a request head of 60 KiB is relayed', {
      client: [get('/', `X-A: ${'v'.repeat(60 * KIB)}`)],
      expect: [served, relayed({ fields: [`X-A: ${'v'.repeat(60 * KIB)}`] })],
    }),
    ours('RFC 9110 5.4', 'a request head of 60 KiB in many fields is relayed', {
      client: [get('/', ...Array.from({ length: 60 }, (_, n) => `X-${n}: ${'v'.repeat(KIB - 16)}`))],
      expect: [served],
    }),
    ours('RFC 9110 5.4', 'a request head over 64 KiB is answered with 431', {
      client: [get('/', `X-A: ${'v'.repeat(66 * KIB)}`)],
      expect: [refused(431)],
    }),
    ours('RFC 9110 5.4', 'a request head over 64 KiB is answered with 431 before it ends', {
      client: [`GET / HTTP/1.1\r\n${HOST}\r\nX-A: ${'v'.repeat(66 * KIB)}`],
      expect: [refused(431)],
    }),
    ours('RFC 9110 5.4', 'a request head over 64 KiB in many fields is answered with 431', {
      client: [get('/', ...Array.from({ length: 70 }, (_, n) => `X-${n}: ${'v'.repeat(KIB)}`))],
      expect: [refused(431)],
    }),
    ours('RFC 9110 5.4', 'a field name without end is answered with 431', {
      client: [`GET / HTTP/1.1\r\n${HOST}\r\n${'x'.repeat(66 * KIB)}`],
      expect: [refused(431)],
    }),
    ours('RFC 9110 9.3.2', 'a 431 to HEAD has no content', {
      client: [head('HEAD / HTTP/1.1', HOST, `X-A: ${'v'.repeat(66 * KIB)}`)],
      expect: [answered({ status: 431, body: '' }), ({ rest }) => (rest === '' ? undefined : 'a body'), closed],
    }),
    ours('RFC 9110 5.4', '990 fields are relayed', {
      client: [get('/', ...many(989))],
      expect: [served, relayed({ fields: ['X-988: 988'] })],
    }),
    ours('RFC 9110 5.4', '1,010 fields are answered with 431', {
      client: [get('/', ...many(1_010))],
      expect: [refused(431)],
    }),
    ours('RFC 9112 3', 'a target just under 16 KiB is relayed', {
      client: [get(`/${'a'.repeat(16 * KIB - 100)}`)],
      expect: [served, relayed({ target: `/${'a'.repeat(16 * KIB - 100)}` })],
    }),
    ours('RFC 9112 3', 'a target over 16 KiB is answered with 414', {
      client: [get(`/${'a'.repeat(17 * KIB)}`)],
      expect: [refused(414)],
    }),
    ours('RFC 9112 3', 'a target over 16 KiB is answered with 414 before it ends', {
      client: [`GET /${'a'.repeat(17 * KIB)}`],
      expect: [refused(414)],
    }),
    ours('RFC 9112 3', 'a method without end is refused', {
      client: ['A'.repeat(70 * KIB)],
      expect: [refused([400, 414, 431, 501])],
    }),
    ours('RFC 9112 7.1.1', 'a chunk extension of 1 KiB is ignored', {
      client: [chunked(`5;a=${'b'.repeat(KIB)}\r\nhello\r\n0\r\n\r\n`)],
      expect: [served, relayed({ body: 'hello' })],
    }),
    ours('RFC 9112 7.1.1', 'a chunk extension without end is refused', {
      client: [chunked(`5;a=${'b'.repeat(70 * KIB)}`)],
      expect: [refused([400, 431])],
    }),
    ours('RFC 9112 7.1.1', 'extensions over 64 KiB in many chunks are refused', {
      client: [chunked(`1;a=${'b'.repeat(KIB)}\r\nx\r\n`.repeat(70))],
      expect: [refused([400, 431])],
    }),
    ours('RFC 9112 7.1.2', 'trailers of 1 KiB are read', {
      client: [chunked(`5\r\nhello\r\n0\r\nX-A: ${'b'.repeat(KIB)}\r\n\r\n`)],
      expect: [served, relayed({ body: 'hello' })],
    }),
    ours('RFC 9112 7.1.2', 'trailers over 64 KiB are refused', {
      client: [chunked(`5\r\nhello\r\n0\r\n${`X-A: ${'b'.repeat(KIB)}\r\n`.repeat(70)}`)],
      expect: [refused([400, 431])],
    }),
    ours('RFC 9110 5.4', 'a response head of 60 KiB is relayed', {
      client: [get()],
      upstream: [[answer('200 OK', 'hi', 'Content-Length: 2', `X-A: ${'v'.repeat(60 * KIB)}`)]],
      expect: [answered({ body: 'hi', fields: [`X-A: ${'v'.repeat(60 * KIB)}`] })],
    }),
    ours('RFC 9110 5.4', 'a response head over 64 KiB is answered with 502', {
      client: [get()],
      upstream: [[answer('200 OK', 'hi', 'Content-Length: 2', `X-A: ${'v'.repeat(66 * KIB)}`)]],
      expect: [badGateway('response_head_too_large')],
    }),
    ours('RFC 9110 5.4', 'a response head without end is answered with 502', {
      client: [get()],
      upstream: [[`HTTP/1.1 200 OK\r\nX-A: ${'v'.repeat(66 * KIB)}`]],
      expect: [badGateway('response_head_too_large')],
    }),
    ours('RFC 9110 5.4', 'an interim response over 64 KiB is answered with 502', {
      client: [get()],
      upstream: [[head('HTTP/1.1 103 Early Hints', `Link: ${'v'.repeat(66 * KIB)}`)]],
      expect: [badGateway('response_head_too_large')],
    }),
    ours('RFC 9112 4', 'a status line without end is answered with 502', {
      client: [get()],
      upstream: [[`HTTP/1.1 200 ${'v'.repeat(66 * KIB)}`]],
      expect: [badGateway('response_head_too_large')],
    }),
    ours('RFC 9112 9.6', 'a refusal that comes before the request is read ends with FIN, so that it is read', {
      client: [get('/', `X-A: ${'v'.repeat(256 * KIB)}`)],
      expect: [answered(431), endedBy('end')],
    }),
  ],
}

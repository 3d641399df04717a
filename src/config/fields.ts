/** Settings of the header fields and URLs that the sidecar adds, changes and removes. */

import { z } from 'zod'
import { isAuthority } from '../net/authority.ts'
import { listOf, text, token } from './kinds/kinds.ts'
import { pointer } from './kinds/pointer.ts'
import { setting, switchable, type Values } from './kinds/setting.ts'

/** Fields of the connection and of the framing, in lower case: the sidecar writes them itself. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Visible characters with blanks between them; latin1, as on the wire (RFC 9110 section 5.5). */
const FIELD_VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/

/** Whether a text can be the value of a header field. */
export const isFieldValue = (value: string): boolean => FIELD_VALUE.test(value)

const fieldName = token
  .refine((name) => name.toLowerCase() !== 'host', { error: 'Host is set by the key host' })
  .refine((name) => !OF_THE_CONNECTION.has(name.toLowerCase()), {
    error: 'the sidecar writes this field itself: it belongs to the connection, not to the message',
  })

const fieldValue = z.union([
  z
    .string({ error: 'expected text (a number in quotes), or { file: /path }' })
    .refine(isFieldValue, { error: 'a header value is one line without control characters or blanks at its ends' }),
  z.strictObject({ file: text.min(1, { error: 'expected a path' }).describe('File that holds the value.') }),
])

const fieldValues = z
  .record(fieldName, fieldValue)
  .refine((values) => Object.keys(values).length <= 100, { error: 'has more than 100 entries' })
  .refine((values) => isUnique(Object.keys(values)), { error: 'a field stands there twice: case makes no difference' })
  .meta({ title: 'values by field name; a value is text or { file: /path }' })

const isUnique = (names: readonly string[]) => new Set(names.map((name) => name.toLowerCase())).size === names.length

const edits = (message: string, to: string) => ({
  set: setting(
    fieldValues,
    {},
    `Fields of the ${message} for the ${to}. They replace fields of the same name. A file is read again when it changes.`,
  ),
  remove: setting(listOf(fieldName), [], `Fields that are removed from the ${message} for the ${to}.`),
})

/** `true`, `false`, or `http`: towards upstreams by http. */
const forHttp = z
  .custom<boolean | 'http'>((value) => typeof value === 'boolean' || value === 'http', {
    error: 'expected true, false, or http for http upstreams only',
  })
  .meta({ enum: ['http', true, false] })

const HOST_FORMS = 'upstream, preserve, or a name such as api.example.com'
const HOST_WORDS: readonly string[] = ['upstream', 'preserve']
const host = text
  .refine((value) => isAuthority(value) && URL.canParse(`http://${value}`), { error: `expected ${HOST_FORMS}` })
  .refine((value) => HOST_WORDS.includes(value) || !HOST_WORDS.includes(value.toLowerCase()), {
    error: `is a word in small letters: ${HOST_FORMS}`,
  })
  .meta({ title: HOST_FORMS })

/** Keys of upstreams and routes. */
export const FIELDS = {
  forwarded: setting(
    forHttp,
    'http',
    "Adds X-Forwarded-For, -Proto and -Host to requests; http: for http upstreams only. Without it the client's own stay as they came.",
  ),
  via: setting(forHttp, 'http', 'Adds Via to requests and responses; http: for http upstreams only.'),
  host: setting(
    host,
    'upstream',
    "Host of requests: that of the upstream's url, the client's own (preserve), or a name. The server name of TLS stays the upstream's.",
  ),
  headers: { request: edits('request', 'upstream'), response: edits('response', 'client') },
  rewrite: switchable(
    {
      headers: setting(
        listOf(token),
        [],
        'Further response fields with URLs, beside Location, Content-Location, Operation-Location, Azure-AsyncOperation, Link and Refresh.',
      ),
      json: setting(
        listOf(pointer),
        [],
        'JSON Pointers to URLs in uncoded JSON bodies that are not larger than inspect. A * stands for each element of a list.',
      ),
    },
    true,
    'URLs of the upstream in responses become those of the sidecar, and so do the paths of cookies. Turned off by false.',
  ),
} as const

/** With `inspect`, which conditions of jobs share. */
export type FieldSettings = Values<typeof FIELDS> & { readonly inspectBytes: number }

import type { RawHeaders } from '../net/fields.ts'

/** Fields for one connection alone (RFC 9110 section 7.6.1), and those that the sidecar's own framing replaces. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** Besides those: Host becomes the upstream's, Expect is answered here, and request trailers are not sent on. */
const NOT_FOR_UPSTREAM = new Set([...HOP_BY_HOP, 'host', 'expect', 'trailer'])

export type Sender = {
  /** The client's address. */
  readonly address: string
  /** The protocol version that the client spoke, e.g. `1.1`. */
  readonly httpVersion: string
  /** A fresh UUID; called only for what the client did not send itself. */
  readonly newId: () => string
}

/** A request's fields for the upstream, and what the sidecar itself reads from them. */
export type IncomingFields = {
  readonly headers: string[]
  readonly requestId: string
  /** '' when the client sent none. */
  readonly host: string
  /** How often it is there. */
  readonly hosts: number
  /** Bytes; undefined without a Content-Length. */
  readonly contentLength: number | undefined
  /** In lower case; '' when there is none. */
  readonly transferEncoding: string
  readonly hasIdempotencyKey: boolean
  /** From `x-request-timeout`, in ms; undefined when absent or no decimal number of seconds. */
  readonly timeoutMs: number | undefined
}

/**
 * The request's fields as the upstream is to see them: hop-by-hop fields gone, forwarding fields added, all others as
 * they came, in order. Sources: RFC 9110 sections 7.6.1 and 7.6.3, W3C Trace Context section 3.2.
 */
export function readFields(raw: RawHeaders, sender: Sender): IncomingFields {
  const named = namedByConnection(raw)
  const headers: string[] = []
  let host = ''
  let hosts = 0
  let forwardedFor = ''
  let forwardedProto = false
  let forwardedHost = false
  let trace = false
  let requestId = ''
  let contentLength: number | undefined
  let transferEncoding = ''
  let hasIdempotencyKey = false
  let timeoutMs: number | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    const value = raw[i + 1] ?? ''
    const key = name.toLowerCase()
    const goesOn = !named?.has(key)
    switch (key) {
      case 'host':
        host = value
        hosts += 1
        break
      case 'transfer-encoding':
        transferEncoding = value.toLowerCase()
        break
      case 'content-length':
        contentLength = Number(value)
        break
      case 'x-forwarded-for':
        forwardedFor += forwardedFor === '' ? value : `, ${value}`
        continue
      case 'x-forwarded-proto':
        forwardedProto = goesOn
        break
      case 'x-forwarded-host':
        forwardedHost = goesOn
        break
      case 'traceparent':
        trace = goesOn
        break
      case 'x-request-id':
        if (goesOn) requestId = value
        break
      case 'idempotency-key':
        hasIdempotencyKey = goesOn
        break
      case 'x-request-timeout':
        timeoutMs = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) * 1000 : undefined
        break
    }
    if (goesOn && !NOT_FOR_UPSTREAM.has(key)) headers.push(name, value)
  }
  headers.push('x-forwarded-for', forwardedFor === '' ? sender.address : `${forwardedFor}, ${sender.address}`)
  if (!forwardedProto) headers.push('x-forwarded-proto', 'http')
  if (!forwardedHost && host !== '') headers.push('x-forwarded-host', host)
  headers.push('via', `${sender.httpVersion} breakwater`)
  if (!trace || requestId === '') {
    const id = sender.newId()
    if (!trace) headers.push('traceparent', freshTrace(id))
    if (requestId === '') {
      requestId = id
      headers.push('x-request-id', id)
    }
  }
  return { headers, requestId, host, hosts, contentLength, transferEncoding, hasIdempotencyKey, timeoutMs }
}

/**
 * A new trace, marked as sampled so that the upstream's own sampler decides as it would have without us. Where the
 * request has no id either, the two are the same.
 */
function freshTrace(uuid: string): string {
  const hex = uuid.replaceAll('-', '')
  return `00-${hex}-${hex.slice(16)}-01`
}

/**
 * The response's fields as the client is to see them.
 * @param relocated rewrites a `Location` or `Content-Location`.
 */
export function towardsClient(raw: RawHeaders, relocated: (location: string) => string): string[] {
  const named = namedByConnection(raw)
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? ''
    const value = raw[i + 1] ?? ''
    const key = name.toLowerCase()
    if (HOP_BY_HOP.has(key) || named?.has(key)) continue
    headers.push(name, key === 'location' || key === 'content-location' ? relocated(value) : value)
  }
  headers.push('via', '1.1 breakwater')
  return headers
}

/** What `Connection` names besides its two usual words, in lower case; undefined when it names nothing. */
function namedByConnection(raw: RawHeaders): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]
    if (name === undefined || name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = (raw[i + 1] ?? '').toLowerCase()
    if (value === 'keep-alive' || value === 'close') continue
    named ??= new Set()
    for (const token of value.split(',')) named.add(token.trim())
  }
  return named
}

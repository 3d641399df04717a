/** The oracle: llhttp, the parser of node:http, with all its lenient flags off. */

import { createRequire } from 'node:module'
import type { Message, Outcome } from './messages.ts'

type Parser = {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void
  /** The number of bytes read, or an error. */
  execute(bytes: Buffer): number | (Error & { code?: string })
  finish(): undefined | number | (Error & { code?: string })
  close(): void
  [callback: number]: unknown
}
type HeadersComplete = (
  major: number,
  minor: number,
  headers: string[] | undefined,
  method: number | undefined,
  url: string | undefined,
  status: number | undefined,
  statusText: string | undefined,
  upgrade: boolean,
  shouldKeepAlive: boolean,
) => number
type Common = {
  readonly methods: readonly string[]
  readonly HTTPParser: (new () => Parser) &
    Readonly<
      Record<
        | 'REQUEST'
        | 'RESPONSE'
        | 'kOnHeaders'
        | 'kOnHeadersComplete'
        | 'kOnBody'
        | 'kOnMessageComplete'
        | 'kLenientNone',
        number
      >
    >
}

const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as Common

/** Methods that llhttp knows. It refuses all others, which this codec relays. */
export const KNOWN_METHODS: readonly string[] = methods

/** The number that llhttp has for it is not its place in the list. */
const BEYOND_METHODS = 'QUERY'
const MAX_HEADER_BYTES = 65_536
const PROCEED = 0
const SKIP_BODY = 1

/**
 * Reads messages until an error, an upgrade or the end of the bytes.
 * @param asked methods of the requests, for responses; undefined for requests.
 */
export function readWithLlhttp(pieces: readonly Buffer[], asked: readonly string[] | undefined): Outcome {
  const messages: Message[] = []
  let current: Message | undefined
  let early: string[] = []
  let isUpgraded = false
  let finals = 0
  const parser = new HTTPParser()
  parser.initialize(asked ? HTTPParser.RESPONSE : HTTPParser.REQUEST, {}, MAX_HEADER_BYTES, HTTPParser.kLenientNone)
  let earlyUrl = ''
  parser[HTTPParser.kOnHeaders] = (headers: string[], url: string) => {
    early.push(...headers)
    earlyUrl ||= url
  }
  const complete: HeadersComplete = (_major, minor, headers, method, url, status, statusText, upgrade, keepAlive) => {
    // As node:http's client has it: llhttp does not know the request, and lets any interim response but 100 have a body.
    const isEmpty = status !== undefined && (status < 200 ? status !== 101 : asked?.[finals] === 'HEAD')
    current = {
      start: status === undefined ? (methods[method ?? -1] ?? BEYOND_METHODS) : String(status),
      target: status === undefined ? (url ?? earlyUrl) : (statusText ?? ''),
      minor,
      headers: headers ?? early,
      body: '',
      trailers: [],
      // Computed before it is known that there is no body.
      keepAlive: keepAlive || isEmpty,
      isWhole: false,
      isLast: false,
    }
    early = []
    earlyUrl = ''
    messages.push(current)
    isUpgraded = upgrade
    if (status !== undefined && status >= 200) finals += 1
    return isEmpty ? SKIP_BODY : PROCEED
  }
  parser[HTTPParser.kOnHeadersComplete] = complete
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => {
    if (current) current.body += chunk.toString('latin1')
  }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (!current) return
    current.isWhole = true
    current.trailers = early
    early = []
    earlyUrl = ''
  }
  const error = execute(parser, pieces, () => isUpgraded && current?.isWhole === true)
  parser.close()
  if (error === '' && current?.isWhole === false) return { messages, error: 'the last message is not whole' }
  return { messages, error }
}

function execute(parser: Parser, pieces: readonly Buffer[], isOver: () => boolean): string {
  for (const piece of pieces) {
    // A copy: llhttp gives out parts of the buffer, and keeps it.
    const read = parser.execute(Buffer.from(piece))
    if (typeof read !== 'number') return read.code ?? read.message
    if (isOver()) return ''
    if (read < piece.length) return 'an error that node:http hides after an offer of an upgrade'
  }
  const ended = parser.finish()
  return ended instanceof Error ? ((ended as { code?: string }).code ?? ended.message) : ''
}

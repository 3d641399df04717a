/** Reads HTTP/1.1 messages from bytes (latin1 text), strictly: what a proxy writes is held to the grammar. */

export type Field = readonly [name: string, value: string]
type Framing = 'none' | 'length' | 'chunked' | 'close'

export type Message = {
  readonly startLine: string
  readonly fields: readonly Field[]
  readonly framing: Framing
  /** As far as it came. */
  readonly body: string
  readonly trailers: readonly Field[]
  /** Whether the body came to its end. A body delimited by the connection's end is whole when that came. */
  readonly isWhole: boolean
  /** What is malformed; undefined when nothing is. */
  readonly fault: string | undefined
  /** Where the next message begins in the text. */
  readonly end: number
}

/** The end of the connection so far: by FIN, by a reset, or not at all. */
export type Ending = 'open' | 'end' | 'reset'

type Body = Pick<Message, 'body' | 'trailers' | 'isWhole' | 'fault' | 'end'>

const FIELD = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/
const CHUNK_SIZE = /^([0-9A-Fa-f]+)(?:;[^\r\n]*)?$/

/** All values of a field. */
export const valuesOf = (fields: readonly Field[], name: string) =>
  fields.filter(([one]) => one.toLowerCase() === name.toLowerCase()).map(([, value]) => value)

/** @returns undefined while the head is not there. */
export function readRequest(text: string, from: number): Message | undefined {
  return readMessage(text, from, (fields, startLine) => {
    const hosts = valuesOf(fields, 'host').length
    const fault = hosts === 1 || (hosts === 0 && startLine.endsWith('1.0')) ? undefined : `${hosts} Host fields`
    return { framing: framingOf(fields) ?? 'none', fault }
  })
}

/**
 * @param method of the request, since a response to HEAD has no body.
 * @returns undefined while the head is not there.
 */
export function readResponse(text: string, from: number, method: string, ending: Ending): Message | undefined {
  return readMessage(
    text,
    from,
    (fields, startLine) => {
      const status = statusOf(startLine)
      const isBare = method === 'HEAD' || status === 204 || status === 304 || (status >= 100 && status < 200)
      const fault = Number.isNaN(status) ? `no status line: ${startLine.slice(0, 60)}` : undefined
      return { framing: isBare ? 'none' : (framingOf(fields) ?? 'close'), fault }
    },
    ending,
  )
}

/** @returns NaN for what is no status line. */
export const statusOf = (startLine: string) => Number(/^HTTP\/1\.[01] (\d{3}) /.exec(startLine)?.[1] ?? Number.NaN)

function framingOf(fields: readonly Field[]): 'length' | 'chunked' | undefined {
  if (valuesOf(fields, 'transfer-encoding').length > 0) return 'chunked'
  return valuesOf(fields, 'content-length').length > 0 ? 'length' : undefined
}

function readMessage(
  text: string,
  from: number,
  framed: (fields: readonly Field[], startLine: string) => { framing: Framing; fault: string | undefined },
  ending: Ending = 'open',
): Message | undefined {
  const headEnd = text.indexOf('\r\n\r\n', from)
  if (headEnd < 0) return undefined
  const [startLine = '', ...lines] = text.slice(from, headEnd).split('\r\n')
  const { fields, fault: fieldFault } = fieldsIn(lines)
  const { framing, fault } = framed(fields, startLine)
  const body = readBody(text, headEnd + 4, framing, fields, ending)
  return { startLine, fields, framing, ...body, fault: fault ?? fieldFault ?? framingFault(fields) ?? body.fault }
}

function fieldsIn(lines: readonly string[]): { fields: Field[]; fault: string | undefined } {
  const fields: Field[] = []
  let fault: string | undefined
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? []
    if (name === undefined || /[\r\n\0]/.test(line)) fault ??= `no field: ${JSON.stringify(line.slice(0, 60))}`
    else fields.push([name, value])
  }
  return { fields, fault }
}

function framingFault(fields: readonly Field[]): string | undefined {
  const lengths = valuesOf(fields, 'content-length')
  const codings = valuesOf(fields, 'transfer-encoding')
  if (lengths.length + codings.length > 1) return `several framings: ${[...lengths, ...codings].join(', ')}`
  const [length = '0'] = lengths
  const [coding = 'chunked'] = codings
  return /^\d+$/.test(length) && /(^|[, ])chunked$/i.test(coding) ? undefined : `framing by ${length}, ${coding}`
}

function readBody(text: string, from: number, framing: Framing, fields: readonly Field[], ending: Ending): Body {
  if (framing === 'chunked') return readChunks(text, from)
  if (framing === 'none') return { body: '', trailers: [], isWhole: true, fault: undefined, end: from }
  const length = framing === 'length' ? Number(valuesOf(fields, 'content-length')[0]) : Number.POSITIVE_INFINITY
  const body = text.slice(from, from + length)
  const isWhole = framing === 'length' ? body.length === length : ending === 'end'
  return { body, trailers: [], isWhole, fault: undefined, end: from + body.length }
}

function readChunks(text: string, from: number): Body {
  let body = ''
  let at = from
  const cutShort = (fault?: string): Body => ({ body, trailers: [], isWhole: false, fault, end: text.length })
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return cutShort()
    const line = text.slice(at, lineEnd)
    const size = Number.parseInt(CHUNK_SIZE.exec(line)?.[1] ?? '', 16)
    if (Number.isNaN(size)) return cutShort(`no chunk size: ${JSON.stringify(line.slice(0, 60))}`)
    at = lineEnd + 2
    if (size === 0) break
    body += text.slice(at, at + size)
    const after = text.slice(at + size, at + size + 2)
    if (!'\r\n'.startsWith(after)) return cutShort('a chunk is longer than its size')
    if (after !== '\r\n') return cutShort()
    at += size + 2
  }
  if (text.startsWith('\r\n', at)) return { body, trailers: [], isWhole: true, fault: undefined, end: at + 2 }
  const end = text.indexOf('\r\n\r\n', at)
  if (end < 0) return cutShort()
  const { fields: trailers, fault } = fieldsIn(text.slice(at, end).split('\r\n'))
  return { body, trailers, isWhole: true, fault, end: end + 4 }
}

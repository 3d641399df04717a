/** Field lines of a head or a trailer section (RFC 9112 section 5), read in one pass. */

import { COLON, CR, HTAB, isBlank, isNamed, LF, skip, skipValue, TOKEN } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'

/**
 * A head or a trailer section, as bytes and as text. Bytes are checked: looking at the characters of a text takes twice the
 * time. Texts are cut from one text: making each of its bytes takes five times as long.
 */
export class Section {
  readonly bytes: Buffer
  readonly from: number
  /** The index after the last byte, without the CRLF of the last line and the empty line. */
  readonly to: number
  readonly #text: string

  constructor(bytes: Buffer, from: number, to: number) {
    this.bytes = bytes
    this.from = from
    this.to = to
    this.#text = bytes.toString('latin1', from, to)
  }

  /** The bytes between two indices as latin1. */
  text(from: number, to: number): string {
    return this.#text.slice(from - this.from, to - this.from)
  }
}

/** Field lines as they came, and the values of those that say how the message is framed and how the connection goes on. */
export class FieldLines {
  /** Flat: name, value, name, value, …; latin1; without whitespace around the values. */
  readonly headers: string[] = []
  hosts = 0
  host = ''
  /** Index of the first byte of `host`. */
  hostAt = 0
  lengths = 0
  length = ''
  codings = 0
  /** Fields of the same name are joined with ', ' here and below. */
  coding = ''
  connection = ''
  keepAlive = ''
  upgrade = ''
  expect = ''
}

/**
 * Reads field lines, separated by CRLF, from index `from` to the end of the section.
 * @returns a fault when a line is not `token ":" OWS value OWS`, when it continues the line before it (obs-fold), when there
 * are more than `maxFields`, or when a tab is in a framing field: some parsers take it for a part of the value.
 */
export function readFieldLines(
  section: Section,
  from: number,
  maxFields: number,
  lines: FieldLines,
): MessageFault | undefined {
  const { bytes, to } = section
  const { headers } = lines
  let at = from
  for (;;) {
    const colon = skip(bytes, at, to, TOKEN)
    if (colon === at || colon === to || bytes[colon] !== COLON) return nameFault(section, at, colon)
    if (headers.length >= 2 * maxFields) return new MessageFault('head_too_large', 'the message has too many fields')
    const lineEnd = skipValue(bytes, colon + 1, to)
    let start = colon + 1
    while (start < lineEnd && isBlank(bytes[start])) start += 1
    let end = lineEnd
    while (end > start && isBlank(bytes[end - 1])) end -= 1
    const value = section.text(start, end)
    headers.push(section.text(at, colon), value)
    const isFraming = note(lines, bytes, at, colon - at, value, start)
    if (isFraming && bytes.subarray(colon, lineEnd).includes(HTAB))
      return malformed('a framing field has a tab beside its value')
    if (lineEnd === to) return undefined
    if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF)
      return malformed('a field value has a control character, or a CR or LF that ends no line')
    at = lineEnd + 2
  }
}

function nameFault({ bytes, to }: Section, at: number, colon: number): MessageFault {
  if (at < to && isBlank(bytes[at])) return malformed('a field line is folded, or begins with whitespace')
  if (colon > at && colon < to && isBlank(bytes[colon]))
    return malformed('a field name has whitespace in it, or before its colon')
  return malformed('a field line has no valid name')
}

/** Compares lengths first: most fields need no look at their letters. @returns whether the field frames the message. */
function note(
  lines: FieldLines,
  bytes: Buffer,
  nameAt: number,
  nameLength: number,
  value: string,
  valueAt: number,
): boolean {
  switch (nameLength) {
    case 4:
      if (!isNamed(bytes, nameAt, 'host')) return false
      lines.hosts += 1
      lines.host = value
      lines.hostAt = valueAt
      return false
    case 6:
      if (isNamed(bytes, nameAt, 'expect')) lines.expect = joined(lines.expect, value)
      return false
    case 7:
      if (isNamed(bytes, nameAt, 'upgrade')) lines.upgrade = joined(lines.upgrade, value)
      return false
    case 10:
      if (isNamed(bytes, nameAt, 'connection')) lines.connection = joined(lines.connection, value)
      else if (isNamed(bytes, nameAt, 'keep-alive')) lines.keepAlive = joined(lines.keepAlive, value)
      return false
    case 14:
      if (!isNamed(bytes, nameAt, 'content-length')) return false
      lines.lengths += 1
      lines.length = value
      return true
    case 17:
      if (!isNamed(bytes, nameAt, 'transfer-encoding')) return false
      lines.codings += 1
      lines.coding = lines.codings === 1 ? value : `${lines.coding}, ${value}`
      return true
  }
  return false
}

const joined = (before: string, value: string) => (before === '' ? value : `${before}, ${value}`)

/** Field lines of a head or a trailer section (RFC 9112 section 5), read in one pass. */

import { COLON, CR, HTAB, isOf, LF, SP, skip, TOKEN, trimmed, VALUE } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'

/** Field lines as they came, and the values of those that say how the message is framed and how the connection goes on. */
export class FieldLines {
  /** Flat: name, value, name, value, …; latin1; without whitespace around the values. */
  readonly headers: string[] = []
  hosts = 0
  host = ''
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
 * Reads field lines, separated by CRLF, from `from` to the end of the text, which has no CRLF.
 * @returns a fault when a line is not `token ":" OWS value OWS`, when it continues the line before it (obs-fold), or when there
 * are more than `maxFields`.
 */
export function readFieldLines(
  text: string,
  from: number,
  maxFields: number,
  lines: FieldLines,
): MessageFault | undefined {
  const { headers } = lines
  const end = text.length
  let at = from
  for (;;) {
    const colon = skip(text, at, TOKEN)
    if (colon === at || text.charCodeAt(colon) !== COLON) return nameFault(text, at, colon)
    if (headers.length >= 2 * maxFields) return new MessageFault('head_too_large', 'the message has too many fields')
    const name = text.slice(at, colon)
    at = skip(text, colon + 1, VALUE)
    const value = trimmed(text, colon + 1, at)
    headers.push(name, value)
    note(lines, name, value)
    if (at === end) return undefined
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return malformed(VALUE_CHARACTER)
    at += 2
  }
}

const VALUE_CHARACTER = 'a field value has a control character, or a CR or LF that ends no line'

function nameFault(text: string, at: number, colon: number): MessageFault {
  const first = text.charCodeAt(at)
  if (first === SP || first === HTAB) return malformed('a field line is folded, or begins with whitespace')
  if (colon > at && isOf(text.charCodeAt(colon), VALUE) && /^[\t ]*:/.test(text.slice(colon, colon + 64)))
    return malformed('a field name has whitespace before its colon')
  return malformed('a field line has no valid name')
}

/** Compares lengths first: most fields need no conversion to lower case. */
function note(lines: FieldLines, name: string, value: string): void {
  switch (name.length) {
    case 4:
      if (is(name, 'host')) {
        lines.hosts += 1
        lines.host = value
      }
      return
    case 6:
      if (is(name, 'expect')) lines.expect = joined(lines.expect, value)
      return
    case 7:
      if (is(name, 'upgrade')) lines.upgrade = joined(lines.upgrade, value)
      return
    case 10:
      if (is(name, 'connection')) lines.connection = joined(lines.connection, value)
      else if (is(name, 'keep-alive')) lines.keepAlive = joined(lines.keepAlive, value)
      return
    case 14:
      if (is(name, 'content-length')) {
        lines.lengths += 1
        lines.length = value
      }
      return
    case 17:
      if (is(name, 'transfer-encoding')) {
        lines.codings += 1
        lines.coding = lines.codings === 1 ? value : `${lines.coding}, ${value}`
      }
  }
}

const is = (name: string, lower: string) => name === lower || name.toLowerCase() === lower

const joined = (before: string, value: string) => (before === '' ? value : `${before}, ${value}`)

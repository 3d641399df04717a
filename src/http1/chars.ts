/** Classes of characters by code, as bits, since the parser asks for them once a byte. */

/** Characters of a token (RFC 9110 section 5.6.2). */
export const TOKEN = 1
/** Characters of a request target: VCHAR, and bytes above 0x7F, which are passed on percent-encoded. */
export const TARGET = 2
/** Characters of a quoted string, besides the quote and the backslash (RFC 9110 section 5.6.4). */
export const QUOTED = 4
/** Characters of a host name or an IPv4 address: letters, digits, hyphen, dot. A fast path, not all of RFC 3986's reg-name. */
export const HOST_NAME = 8
/** Decimal digits. */
export const DIGIT = 16

export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const COLON = 0x3a

const CLASSES = new Uint8Array(256)
for (let code = 0; code < 256; code += 1) {
  const character = String.fromCharCode(code)
  const isTarget = (code > SP && code < 0x7f) || code > 0x7f
  const isValue = isTarget || code === SP || code === HTAB
  CLASSES[code] =
    (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? TOKEN : 0) |
    (isTarget ? TARGET : 0) |
    (isValue && character !== '"' && character !== '\\' ? QUOTED : 0) |
    (/[0-9A-Za-z.-]/.test(character) ? HOST_NAME : 0) |
    (/[0-9]/.test(character) ? DIGIT : 0)
}

/** Whether the character with that code is of the class. */
export const isOf = (code: number, charClass: number): boolean => ((CLASSES[code] ?? 0) & charClass) !== 0

/** The index of the first byte from `from` on, and before `to`, that is not of the class; `to` when there is none. */
export function skip(bytes: Buffer, from: number, to: number, charClass: number): number {
  let at = from
  while (at < to && isOf(bytes[at] ?? 0, charClass)) at += 1
  return at
}

/**
 * As `skip`, for the characters of a field value or a reason phrase: HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5). Most
 * bytes of a head are such, and comparing is faster than looking up.
 */
export function skipValue(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to) {
    const byte = bytes[at] ?? 0
    if (byte === 0x7f || (byte < SP && byte !== HTAB)) return at
    at += 1
  }
  return at
}

/** Whether the bytes from there on are that name, in any case (RFC 9110 section 5.1). @param lower letters, digits and hyphens. */
export function isNamed(bytes: Buffer, from: number, lower: string): boolean {
  for (let at = 0; at < lower.length; at += 1)
    if (((bytes[from + at] ?? 0) | 0x20) !== lower.charCodeAt(at)) return false
  return true
}

/** Whether it is a space or a tab (OWS, RFC 9110 section 5.6.3). */
export const isBlank = (code: number | undefined): boolean => code === SP || code === HTAB

/** The elements of a comma-separated list, in lower case. Empty ones count (RFC 9110 section 5.6.1). */
export const elementsOf = (list: string): string[] =>
  list.split(',').map((element) => withoutBlanks(element).toLowerCase())

/** Without the blanks at its ends. A pattern for the last ones would begin anew at each blank before them. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (from < to && isBlank(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

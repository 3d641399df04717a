/** Classes of characters by code, as bits, since the parser asks for them once a byte. */

/** Characters of a token (RFC 9110 section 5.6.2). */
export const TOKEN = 1
/** Characters of a field value or a reason phrase: HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5). */
export const VALUE = 2
/** Characters of a request target: VCHAR, and bytes above 0x7F, which are passed on percent-encoded. */
export const TARGET = 4
/** Characters of a quoted string, besides the quote and the backslash (RFC 9110 section 5.6.4). */
export const QUOTED = 8

export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const COLON = 0x3a

const CLASSES = new Uint8Array(256)
for (let code = 0; code < 256; code += 1) {
  const isVisible = code > SP && code < 0x7f
  const isObsText = code > 0x7f
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)) && isVisible) CLASSES[code] = TOKEN
  if (isVisible || isObsText) CLASSES[code] = (CLASSES[code] ?? 0) | TARGET
  if (isVisible || isObsText || code === SP || code === HTAB) CLASSES[code] = (CLASSES[code] ?? 0) | VALUE
  if (isVisible || isObsText || code === SP || code === HTAB)
    if (code !== 0x22 && code !== 0x5c) CLASSES[code] = (CLASSES[code] ?? 0) | QUOTED
}

/** Whether the character with that code is of the class. False for codes above 0xFF. */
export const isOf = (code: number, charClass: number): boolean => ((CLASSES[code] ?? 0) & charClass) !== 0

/** The index of the first character from `from` on that is not of the class; the length when there is none. */
export function skip(text: string, from: number, charClass: number): number {
  const end = text.length
  let at = from
  while (at < end && isOf(text.charCodeAt(at), charClass)) at += 1
  return at
}

/** The text between `from` and `to` without spaces and tabs around it (OWS, RFC 9110 section 5.6.3). */
export function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

const isBlank = (code: number) => code === SP || code === HTAB

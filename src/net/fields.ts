/**
 * Finds fields in header arrays. Compares names without regard to case (RFC 9110 section 5.1): each function takes them in
 * lower case. Only `withoutFields` and `pairsOf` allocate.
 */

/** Header fields as they stand on the wire: name, value, name, value, …; latin1, repeated fields kept, in order. */
export type RawHeaders = readonly string[]

/** The value of the first field with that name; undefined when there is none. */
export function firstField(headers: RawHeaders, name: string): string | undefined {
  const at = nextField(headers, name, 0)
  return at < 0 ? undefined : headers[at + 1]
}

/** The value of the first field with that name; '' when there is none. */
export const fieldOf = (headers: RawHeaders, name: string): string => firstField(headers, name) ?? ''

/** The value of the last field with that name; undefined when there is none. */
export function lastField(headers: RawHeaders, name: string): string | undefined {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (isNamed(headers[i], name)) return headers[i + 1]
  return undefined
}

/** The value of the field with that name; undefined when there is none, or more than one. */
export function onlyField(headers: RawHeaders, name: string): string | undefined {
  const at = nextField(headers, name, 0)
  return at < 0 || nextField(headers, name, at + 2) >= 0 ? undefined : headers[at + 1]
}

/** The fields without those of these names, in order. */
export function withoutFields(headers: RawHeaders, names: ReadonlySet<string>): string[] {
  const others: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!names.has(name.toLowerCase())) others.push(name, headers[i + 1] ?? '')
  }
  return others
}

/** The fields one by one, in order. */
export function pairsOf(headers: RawHeaders): [name: string, value: string][] {
  const pairs: [string, string][] = []
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] ?? '', headers[i + 1] ?? ''])
  return pairs
}

/** The index of the first field with that name from index `from` on; -1 when there is none. */
function nextField(headers: RawHeaders, name: string, from: number): number {
  for (let i = from; i < headers.length; i += 2) if (isNamed(headers[i], name)) return i
  return -1
}

/** Compares lengths first, which saves most fields the conversion to lower case. */
const isNamed = (field: string | undefined, name: string) =>
  field !== undefined && field.length === name.length && field.toLowerCase() === name

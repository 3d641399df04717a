/** Header fields as they stand on the wire: name, value, name, value, …; latin1, repeated ones kept, in order. */
export type RawHeaders = readonly string[]

/** The first field of that lower-case name; '' when there is none. */
export function fieldOf(headers: RawHeaders, name: string): string {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]?.toLowerCase() === name) return headers[i + 1] ?? ''
  return ''
}

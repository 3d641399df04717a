import type { RawHeaders } from './exchange.ts'

/** The first field of that lower-case name; '' when there is none. */
export function fieldOf(headers: RawHeaders, name: string): string {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]?.toLowerCase() === name) return headers[i + 1] ?? ''
  return ''
}

import { text } from './kinds.ts'

/** JSON Pointer (RFC 6901) to a status in a response. */
export const pointer = text.regex(/^\//, { error: 'expected a JSON Pointer such as /status' })

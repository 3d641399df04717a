import { text } from './kinds.ts'

/** JSON Pointer (RFC 6901) to a status in a response. */
export const pointer = text
  .regex(/^\//, { error: 'expected a JSON Pointer such as /status' })
  .refine((written) => !/~(?![01])/.test(written), {
    error: 'in a JSON Pointer ~ is written ~0, and / within a name ~1',
  })

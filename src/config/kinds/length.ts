/** Types of timeouts: a duration, or a timeout computed from a job's inputs. */

import { z } from 'zod'
import { duration, text } from './kinds.ts'

export const computedLength = z.strictObject({
  computed: text.describe('Name of a computed timeout (timeouts.<name>).'),
  divideBy: text.describe('Job input by which the timeout is divided.').optional(),
})

/** In ms, or the rule to compute it. */
export type Length = number | { readonly computed: string; readonly divideBy?: string | undefined }

export const length = (min: string, max: string): z.ZodType<Length> => z.union([duration(min, max), computedLength])

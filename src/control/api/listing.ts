/** The end of a page of a list, and how to request the next one. */

import { z } from 'zod'
import type { Page } from '../../checkpoint/store.ts'

/** `next_cursor` of the previous page. */
export const CURSOR = z.string().min(1).max(512).optional()

export const PAGE_END = {
  next_cursor: z.string().nullable(),
  unreadable: z
    .int()
    .optional()
    .describe(
      'records that were left out: their stored values are not checkpoints, or no longer accepted; none when it is missing',
    ),
}

export const pageEnd = ({ next, unreadable }: Pick<Page, 'next' | 'unreadable'>) => ({
  next_cursor: next ?? null,
  ...(unreadable > 0 ? { unreadable } : {}),
})

/** How a page of a list ends, and how the next one is asked for. */

import { z } from 'zod'
import type { Page } from '../../checkpoint/store.ts'

/** `next_cursor` of the page before. */
export const CURSOR = z.string().min(1).max(512).optional()

export const PAGE_END = {
  next_cursor: z.string().nullable(),
  unreadable: z
    .int()
    .optional()
    .describe('records that were left out: what the store holds for them cannot be told; none when it is missing'),
}

export const pageEnd = ({ next, unreadable }: Pick<Page, 'next' | 'unreadable'>) => ({
  next_cursor: next ?? null,
  ...(unreadable > 0 ? { unreadable } : {}),
})

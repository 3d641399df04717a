/** A checkpoint's revision as an entity tag, and the preconditions of a call (RFC 9110 sections 8.8.3 and 13.1). */

import type { StoredCheckpoint } from '../../../checkpoint/record.ts'
import type { Precondition } from '../../../checkpoint/store.ts'
import { type Asked, Refusal } from '../operation.ts'

/** Header fields of preconditions. */
export const PRECONDITIONS = ['if-match', 'if-none-match']

export const etagOf = ({ revision }: StoredCheckpoint) => `"${revision}"`

/** @param number of the attempt that the call belongs to; undefined without one. @throws Refusal 400 */
export function precondition(call: Pick<Asked, 'header'>, number: number | undefined): Precondition {
  return {
    ifMatch: revisionIn(call, 'if-match'),
    ifNoneMatch: revisionIn(call, 'if-none-match'),
    attempt: number,
  }
}

/** One strong entity tag or `*`. */
function revisionIn({ header }: Pick<Asked, 'header'>, name: string): number | '*' | undefined {
  const value = header(name)?.trim()
  if (value === undefined || value === '*') return value
  const revision = /^"(\d+)"$/.exec(value)?.[1]
  if (revision === undefined)
    throw new Refusal(400, `${name}: expected * or an ETag of a checkpoint, such as "3"`, name)
  return Number(revision)
}

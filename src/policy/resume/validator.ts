/** Tells whether two responses are parts of the same representation, byte for byte (RFC 9110 section 8.8). */

import { httpDateMs } from '../../clock.ts'
import type { ResumeDenial } from '../../events.ts'
import { fieldOf, type RawHeaders } from '../../net/fields.ts'

export type Validator = {
  /** Value of If-Range. */
  readonly ifRange: string
  /** Whether a later response has the same validators. */
  readonly isThatOf: (headers: RawHeaders) => boolean
}

/** Time in ms by which Last-Modified has to be before Date: a file that changes twice within a second has one date for both. */
const SETTLED_MS = 1_000

/**
 * A strong ETag, or a Last-Modified that is strong by its Date (section 8.8.2.2). A date is used beside a weak ETag, too: Express
 * and nginx send both. The weak ETag then has to be the same in each part.
 * @returns why there is none, else.
 */
export function validatorOf(headers: RawHeaders, wallNow: number): Validator | ResumeDenial {
  const tag = fieldOf(headers, 'etag')
  const isSameTag = (other: RawHeaders) => fieldOf(other, 'etag') === tag
  if (tag.startsWith('"')) return { ifRange: tag, isThatOf: isSameTag }
  const date = fieldOf(headers, 'last-modified')
  const modifiedAt = httpDateMs(date, wallNow)
  if (modifiedAt === undefined) return tag === '' ? 'no_validator' : 'weak_etag'
  const sentAt = httpDateMs(fieldOf(headers, 'date'), wallNow)
  if (sentAt === undefined || sentAt - modifiedAt < SETTLED_MS) return 'recent_date'
  return { ifRange: date, isThatOf: (other) => isSameTag(other) && fieldOf(other, 'last-modified') === date }
}

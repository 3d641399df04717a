/** Callers of an upstream, as it tells them apart: many limits are those of one token or key. */

import { createHash } from 'node:crypto'
import { pairsOf, type RawHeaders } from '../../net/fields.ts'

/** Authorization, Cookie, and the fields in which services take keys: X-Api-Key, Xi-Api-Key, Ocp-Apim-Subscription-Key, … */
const CREDENTIALS = /^(?:authorization|cookie|(?:[a-z-]+-)?(?:api-?key|auth-?token|access-token|subscription-key))$/i
/** Parts of a signed Authorization that differ in every request. */
const SIGNATURE = /\b(?:signature|response|nonce|nc|cnonce)=("[^"]*"|[^,\s]*)/gi
const DIGEST_LENGTH = 16

/** Digest of the credentials of a request; empty for a request without any. */
export function callerIn(headers: RawHeaders): string {
  const all = pairsOf(headers).filter(([name]) => CREDENTIALS.test(name))
  if (all.length === 0) return ''
  const text = all.map(([name, value]) => `${name.toLowerCase()}: ${value.replaceAll(SIGNATURE, '')}`).join('\n')
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH)
}

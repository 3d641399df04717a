import { pairsOf } from '../../net/fields.ts'
import type { Exchange } from '../exchange.ts'

/** Headers that differ in every request and do not affect the response. */
const OF_THE_REQUEST = new Set([
  'x-request-timeout',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'user-agent',
  'via',
])

/**
 * Key of an exchange: exchanges with the same key and body get the same answer.
 * @param named header names in lower case that matter; undefined for all but those of OF_THE_REQUEST, since a response for
 * other credentials would be wrong.
 */
export function sameness({ method, target, headers }: Exchange, named: ReadonlySet<string> | undefined): string {
  const matters = (name: string) => (named === undefined ? !OF_THE_REQUEST.has(name) : named.has(name))
  const fields = pairsOf(headers)
    .filter(([name]) => matters(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
  return [method, target, ...fields.sort()].join('\n')
}

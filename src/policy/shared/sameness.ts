import { pairsOf } from '../../net/fields.ts'
import type { Exchange } from '../exchange.ts'

/** Fields that are another one with each request and say nothing of what is asked for. */
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
 * Two exchanges with the same are answered alike, their bodies aside.
 * @param named the fields, lower case, that make a difference; undefined for all but those of the request itself: who is
 *   answered by another's credentials is answered wrongly.
 */
export function sameness({ method, target, headers }: Exchange, named: ReadonlySet<string> | undefined): string {
  const matters = (name: string) => (named === undefined ? !OF_THE_REQUEST.has(name) : named.has(name))
  const fields = pairsOf(headers)
    .filter(([name]) => matters(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
  return [method, target, ...fields.sort()].join('\n')
}

/** The answer to a question about a request: what the policies do with it, or that the sidecar itself refuses it. */

import type { Origins } from '../config/file/origins.ts'
import type { Config } from '../config/schema.ts'
import { type FaultCode, faultOf } from '../errors.ts'
import { climbsOut, pathOf, REFUSED_METHODS } from '../net/request-line.ts'
import { destinationOf, explain, type Explanation, namesOf, type Question } from './explanation.ts'
import { textOf } from './text.ts'

/** A request that reaches no upstream, whatever the route. */
export type RefusedRequest = {
  readonly file: string
  readonly request: Explanation['request']
  readonly refused: { readonly status: number; readonly reason: FaultCode; readonly why: string }
}

/** @throws Unanswerable as `explain` does. */
export function answerTo(config: Config, origins: Origins, question: Question): Explanation | RefusedRequest {
  const refusal = refusalOf(config, question)
  if (refusal === undefined) return explain(config, origins, question)
  const { reason, why } = refusal
  const { method, path } = question
  return { file: origins.file, request: { method, path }, refused: { status: faultOf(reason).status, reason, why } }
}

export const answerText = (answer: Explanation | RefusedRequest): string =>
  'refused' in answer ? refusalText(answer) : textOf(answer)

/** A character that ends a target in the request line, or has no place in one (RFC 9112 section 3). */
const BLANK = /[\p{Cc} ]/u

/** In the order in which a listener looks. */
function refusalOf(config: Config, question: Question): { reason: FaultCode; why: string } | undefined {
  const { method, path, upstream, isShared } = question
  if (REFUSED_METHODS.has(method)) return { reason: 'method_refused', why: `${method} is not proxied` }
  if (path === '*') return { reason: 'bad_target', why: '* names no upstream' }
  if (BLANK.test(path))
    return { reason: 'bad_request', why: 'a target has neither blanks nor control characters: %20 is a blank' }
  if (!path.startsWith('/')) return undefined
  if (path.includes('#')) return { reason: 'bad_target', why: 'a request target has no fragment' }
  if (climbsOut(pathOf(path))) return { reason: 'bad_target', why: 'the path climbs above its root' }
  if (isShared && upstream === undefined && !config.upstreams.some(({ name }) => name === path.split(/[/?]/)[1]))
    return {
      reason: 'unknown_upstream',
      why: `on the shared listener a path begins with an upstream: ${namesOf(config)}`,
    }
  if (climbsOut(pathOf(destinationOf(config, question).path)))
    return { reason: 'bad_target', why: 'the path climbs above its prefix' }
  return undefined
}

const refusalText = ({ file, request, refused }: RefusedRequest) =>
  `${request.method} ${request.path} (${file})\n` +
  `  the sidecar answers ${refused.status} (${refused.reason}) itself: ${refused.why}\n` +
  '  0 calls: nothing reaches an upstream\n'

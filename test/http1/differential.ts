/** Runs of the comparison with llhttp, for the test and for the long fuzz. */

import { chance } from '../fuzz/chance.ts'
import { compareRequests, compareResponses, STRICTER } from './compare.ts'
import { requestStream, responseStream } from './generated.ts'

export type Run = {
  /** Streams with a defect: seed, number, the defect and the bytes. Empty when there is none. */
  readonly defects: readonly string[]
  /** Messages that both parsers have read, equally. */
  readonly agreed: number
  /** Number of streams that only the codec refuses, by its reason. */
  readonly stricter: ReadonlyMap<string, number>
}

/** As many responses are expected on a connection. */
const ASKED = 6

/** Compares the streams with these numbers: each can be repeated alone. */
export function compareStreams(seed: number, from: number, to: number): Run {
  const defects: string[] = []
  const stricter = new Map<string, number>()
  let agreed = 0
  for (let n = from; n < to; n += 1) {
    const one = chance(seed).fork(n)
    const asked = Array.from({ length: ASKED }, () => one.oneOf(['GET', 'GET', 'POST', 'HEAD']))
    const stream = n % 2 === 0 ? requestStream(one) : responseStream(one, asked)
    const compared = n % 2 === 0 ? compareRequests(stream) : compareResponses(stream, asked)
    agreed += compared.agreed
    if (compared.stricter !== '') stricter.set(compared.stricter, (stricter.get(compared.stricter) ?? 0) + 1)
    const isUnexplained = compared.stricter !== '' && STRICTER[compared.stricter] === undefined
    const defect = isUnexplained ? `refuses alone, without a reason in STRICTER: ${compared.stricter}` : compared.defect
    if (defect !== '')
      defects.push(`seed ${seed} stream ${n}: ${defect}: ${JSON.stringify(stream.bytes.toString('latin1'))}`)
  }
  return { defects, agreed, stricter }
}

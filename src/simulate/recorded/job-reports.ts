import type { UpstreamConfig } from '../../config/schema.ts'
import type { Exchange } from '../../policy/exchange.ts'

/** State of a job in a response's body; undefined when the body reports none. */
export type JobWord = 'failed' | 'completed' | 'pending' | undefined

/** Writes bodies that a configuration's `failureWhen` and `hold` recognise. */
export class JobReports {
  /** By upstream and route that holds polls. `ended`: a job whose end the log does not name, which ends a hold. */
  readonly #held = new Map<string, { readonly pending: string; readonly ended: string }>()

  constructor(upstreams: readonly UpstreamConfig[]) {
    for (const { name, routes } of upstreams)
      for (const { match, hold } of routes) {
        if (hold === false) continue
        const of = (status: string) => report(hold.json, status)
        this.#held.set(`${name}\n${match}`, { pending: of(hold.in[0] ?? ''), ended: of(ENDED) })
      }
  }

  /** @returns '' where the route reads no body. */
  body(word: JobWord, { jobs, route }: Exchange): string {
    const held = this.#held.get(`${route.upstream}\n${route.route}`)
    if (word === undefined) return held?.ended ?? ''
    if (word === 'pending') return held?.pending ?? ''
    const [status] = jobs?.rule[word] ?? []
    return jobs === undefined || status === undefined ? '' : report(jobs.rule.json, status)
  }
}

/** A status that no file lists as one of a running job. */
const ENDED = 'ended in the recorded run'

/** JSON with a value at a JSON Pointer (RFC 6901). */
function report(pointer: string, status: string): string {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return JSON.stringify(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), status))
}

import type { UpstreamConfig } from '../../config/schema.ts'
import type { Exchange } from '../../policy/exchange.ts'

/** What a response's body says of its job. */
export type JobWord = 'failed' | 'completed' | 'pending' | undefined

/** Writes bodies in the words of a configuration: what its `failureWhen` and `hold` look for stands where they look for it. */
export class JobReports {
  readonly #pending = new Map<string, string>()

  constructor(upstreams: readonly UpstreamConfig[]) {
    for (const { name, routes } of upstreams)
      for (const { match, hold } of routes)
        if (hold !== false) this.#pending.set(`${name}\n${match}`, report(hold.json, hold.in[0] ?? ''))
  }

  /** @returns '' where the route does not look. */
  body(word: JobWord, { jobs, route }: Exchange): string {
    if (word === undefined) return ''
    if (word === 'pending') return this.#pending.get(`${route.upstream}\n${route.route}`) ?? ''
    const [status] = jobs?.rule[word] ?? []
    return jobs === undefined || status === undefined ? '' : report(jobs.rule.json, status)
  }
}

/** JSON with a value where the pointer (RFC 6901) points to. */
function report(pointer: string, status: string): string {
  const keys = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return JSON.stringify(keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), status))
}

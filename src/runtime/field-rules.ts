/** Compiles what a route does to the header fields and URLs of its messages. */

import { isDeepStrictEqual } from 'node:util'
import type { FieldSettings } from '../config/fields.ts'
import type { UpstreamConfig } from '../config/schema.ts'
import type { Edits, FieldRules, ValueSource } from '../proxy/fields/rules.ts'

/** Gives the value that a file holds. @throws Error naming the key for a file that cannot be read. */
export type SourceOf = (path: string, key: string) => ValueSource

type Message = 'request' | 'response'

/** @param at index of the route among those of its upstream; undefined for requests that match none. */
export function fieldRulesOf(upstream: UpstreamConfig, at: number | undefined, sourceOf: SourceOf): FieldRules {
  const settings: FieldSettings = (at === undefined ? undefined : upstream.routes[at]) ?? upstream
  const { forwarded, via, host, rewrite, headers, inspectBytes } = settings
  const isHttp = upstream.urls.every((url) => url.startsWith('http:'))
  const keyOf = (message: Message, name: string) => {
    const isInherited = at === undefined || isDeepStrictEqual(headers, upstream.headers)
    return `upstreams.${upstream.name}${isInherited ? '' : `.routes.${at}`}.headers.${message}.set.${name}`
  }
  const editsOf = (message: Message): Edits => {
    const { set, remove } = headers[message]
    return {
      removed: new Set([...remove, ...Object.keys(set)].map((name) => name.toLowerCase())),
      set: Object.entries(set).map(([name, value]) => ({
        name,
        from: typeof value === 'string' ? { value } : sourceOf(value.file, keyOf(message, name)),
      })),
    }
  }
  return {
    forwarded: forwarded === 'http' ? isHttp : forwarded,
    via: via === 'http' ? isHttp : via,
    host,
    request: editsOf('request'),
    response: editsOf('response'),
    rewriting:
      rewrite === false
        ? undefined
        : {
            names: new Set(rewrite.headers.map((name) => name.toLowerCase())),
            pointers: rewrite.json,
            inspectBytes,
          },
  }
}

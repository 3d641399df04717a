/** Warnings about header fields and URLs. */

import { hostname } from '../../net/loopback.ts'
import { isPublicHost } from '../../net/public-host.ts'
import type { Rules } from '../../policy/scope.ts'
import type { FieldSettings } from '../fields.ts'
import type { FileRouteScope } from './rule.ts'

/** Names of fields that hold credentials, in lower case. */
const CREDENTIALS = /^(?:authorization|cookie|x-.*auth)$|api-?key|token|secret|passw|credential/

/** A reference to the environment. `$${` is none. */
const REFERENCE = /(?:^|[^$])\$\{/

export const FIELD_RULES: Rules<FileRouteScope> = {
  'forwarded-to-third-party': ({ route, upstream }) => {
    if (route.forwarded !== true) return undefined
    const url = upstream.urls.find((one) => one.startsWith('https:') && isPublicHost(hostOf(one)))
    if (url === undefined) return undefined
    return {
      at: ['forwarded'],
      reason: `${hostOf(url)} is told the addresses of your clients and of this sidecar, and may redirect to http by X-Forwarded-Proto`,
      fix: 'forwarded: false for this upstream, or the default, http',
    }
  },

  'host-preserved-for-many': ({ route, upstream }) => {
    const names = new Set(upstream.urls.map(hostOf))
    if (route.host !== 'preserve' || names.size < 2) return undefined
    return {
      at: ['host'],
      reason: `the endpoints have ${names.size} names, and all of them get the client's Host: at most one of them expects it`,
      fix: 'host: upstream, or the one name that all endpoints serve',
    }
  },

  'secret-in-the-file': ({ route, writtenAt }) => {
    for (const message of ['request', 'response'] as const) {
      const found = literalSecret(route.headers[message].set, (name) => writtenAt(['headers', message, 'set', name]))
      if (found === undefined) continue
      return {
        at: [`headers.${message}.set.${found}`, `headers.${message}.set`],
        reason: `the value of ${found} stands in the file: whoever reads the file or its history has it, and to change it the file must change`,
        fix: `"\${NAME}" from the environment, or { file: /run/secrets/… }, which is read again when it changes`,
      }
    }
    return undefined
  },

  'json-arrives-coded': ({ route: { rewrite, headers } }) => {
    if (rewrite === false || rewrite.json.length === 0) return undefined
    const edited = [...headers.request.remove, ...Object.keys(headers.request.set)].map((name) => name.toLowerCase())
    if (edited.includes('accept-encoding')) return undefined
    return {
      at: ['rewrite.json'],
      reason: 'a client that accepts gzip may get a compressed body, and URLs in compressed bodies are not rewritten',
      fix: 'headers: { request: { remove: [accept-encoding] } } beside it',
    }
  },
}

const hostOf = (url: string) => hostname(new URL(url).host)

/** The name of the first field whose value looks like a credential and stands in the file itself. */
function literalSecret(
  values: FieldSettings['headers']['request']['set'],
  writtenAt: (name: string) => string | undefined,
): string | undefined {
  return Object.entries(values).find(([name, value]) => {
    if (typeof value !== 'string' || value === '' || !CREDENTIALS.test(name.toLowerCase())) return false
    const written = writtenAt(name)
    return written !== undefined && !REFERENCE.test(written)
  })?.[0]
}

/** Warnings about settings for TLS at upstreams that are called without it. */

import { isDeepStrictEqual } from 'node:util'
import type { Rules } from '../../policy/scope.ts'
import type { UpstreamConfig } from '../schema.ts'
import type { FileUpstreamScope } from './rule.ts'

/** Whether TLS is used by the upstream, or by another one to which `defaults` gave the same settings. */
const isUsed = ({ config, upstream }: FileUpstreamScope, of: (one: UpstreamConfig) => unknown) =>
  config.upstreams.some(
    (one) => one.urls.some((url) => url.startsWith('https:')) && isDeepStrictEqual(of(one), of(upstream)),
  )

export const TLS_RULES: Rules<FileUpstreamScope> = {
  'http2-without-tls': (scope) =>
    !scope.upstream.http2 || isUsed(scope, ({ http2 }) => http2)
      ? undefined
      : {
          at: ['http2'],
          reason:
            'HTTP/2 is agreed on within TLS (ALPN), and no url of this upstream is https: it is called by HTTP/1.1',
          fix: 'an https url, or no http2',
        },

  'tls-unused': (scope) => {
    const { tls } = scope.upstream
    const [set] = Object.entries(tls).find(([, value]) => value !== '') ?? []
    if (set === undefined || isUsed(scope, (one) => one.tls)) return undefined
    return {
      at: [`tls.${set}`],
      reason: 'no url of this upstream is https: these settings do nothing, and what is sent is not encrypted',
      fix: 'an https url, or no tls',
    }
  },
}

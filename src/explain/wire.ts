/** Tells what bounds the messages and connections of a request, and how the upstream's connections are secured. No secret is shown. */

import { writtenBytes, writtenMs } from '../config/kinds/units.ts'
import type { Config, UpstreamConfig } from '../config/schema.ts'
import type { RouteValues } from '../config/upstream.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'

/** @param top makes the part of a setting at the top of the file. */
export function wireParts(
  { route, upstream, part }: ExplainScope<RouteValues, UpstreamConfig>,
  { maxConnections, maxHead, bodies }: Config,
  top: ExplainScope['part'],
): Part[] {
  return [
    top('maxConnections', `${maxConnections} client connections to one listener; the next one gets 503`),
    top('maxHead', `the head of a request or a response has ${writtenBytes(maxHead)} at most`),
    top(
      'bodies.memory',
      `bodies that are kept for a retry take ${writtenBytes(bodies.memory)} of memory, all together`,
    ),
    top('bodies.disk', `and ${writtenBytes(bodies.disk)} of disk; others are sent once`),
    ...(route.upgrades.length === 0
      ? [part('upgrades', 'no request switches to another protocol: offers are served as plain requests')]
      : [
          part('upgrades', `a request without a body may switch to ${route.upgrades.join(', ')}`),
          part('timeout.tunnel', `then it ends after ${writtenMs(route.timeout.tunnelMs)} without a byte`),
        ]),
    ...tlsParts(upstream, part),
  ]
}

function tlsParts({ urls, tls }: UpstreamConfig, part: ExplainScope['part']): Part[] {
  if (!urls.some((url) => url.startsWith('https:'))) return []
  const { ca, servername, cert, key } = tls
  return [
    ...(ca === '' ? [] : [part('tls.ca', `the authorities of ${ca} are trusted, too`)]),
    ...(servername === '' ? [] : [part('tls.servername', `the certificate of the upstream must be for ${servername}`)]),
    ...(cert === '' ? [] : [part('tls.cert', `the client certificate of ${cert} is shown, with the key of ${key}`)]),
  ]
}

/** Tells what the sidecar adds to the header fields of a request and its response, and changes in them. No value is shown. */

import type { FieldSettings } from '../config/fields.ts'
import { writtenBytes } from '../config/kinds/units.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'

export function fieldParts({ route, upstream, part }: ExplainScope<FieldSettings>): Part[] {
  const isHttp = upstream.urls.every((url) => url.startsWith('http:'))
  const isOn = (setting: boolean | 'http') => (setting === 'http' ? isHttp : setting)
  const { host, headers, rewrite, inspectBytes } = route
  return [
    part(
      'forwarded',
      isOn(route.forwarded)
        ? 'X-Forwarded-For, -Proto and -Host are added'
        : "no X-Forwarded-For, -Proto or -Host is added; the client's own stay",
    ),
    part('via', isOn(route.via) ? 'Via is added, in both directions' : 'no Via is added'),
    part('host', `Host is ${hostSays(host)}`),
    ...editParts('request', headers.request, part),
    ...editParts('response', headers.response, part),
    ...(rewrite === false
      ? [part('rewrite', 'URLs of the upstream stay as they are')]
      : [
          part('rewrite', 'URLs of the upstream in response fields become those of the sidecar'),
          ...(rewrite.headers.length > 0 ? [part('rewrite.headers', `also in ${rewrite.headers.join(', ')}`)] : []),
          ...(rewrite.json.length > 0
            ? [part('rewrite.json', `also in JSON up to ${writtenBytes(inspectBytes)}, at ${rewrite.json.join(', ')}`)]
            : []),
        ]),
  ]
}

function hostSays(host: string): string {
  if (host === 'upstream') return "the upstream's"
  return host === 'preserve' ? "the client's" : host
}

function editParts(
  message: 'request' | 'response',
  { set, remove }: FieldSettings['headers']['request'],
  part: ExplainScope['part'],
): Part[] {
  const written = Object.entries(set).map(([name, value]) =>
    typeof value === 'string' ? name : `${name} (from ${value.file})`,
  )
  return [
    ...(remove.length > 0
      ? [part(`headers.${message}.remove`, `${remove.join(', ')} removed from the ${message}`)]
      : []),
    ...(written.length > 0 ? [part(`headers.${message}.set`, `${written.join(', ')} set in the ${message}`)] : []),
  ]
}

/** A URL as it is copied from a client, a log or a browser: which listener or upstream it means. */

import type { Config } from '../config/schema.ts'
import { type Address, written } from '../net/listen.ts'
import { Unanswerable, type Question } from './explanation.ts'

type Meant = Pick<Question, 'upstream' | 'path' | 'isShared'>

const USUAL_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 }

/**
 * The path stays byte for byte, as `curl --path-as-is` sends it. The fragment goes: no client sends it.
 * @returns undefined for text that is no http URL.
 * @throws Unanswerable for a URL that leads to none of the configuration's listeners and upstreams.
 */
export function meantByUrl(config: Config, text: string): Meant | undefined {
  const [, scheme = '', authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? []
  if (authority === '') return undefined
  const path = rest.startsWith('/') ? rest : `/${rest}`
  return (
    ofUpstream(config, `${scheme.toLowerCase()}://${authority.toLowerCase()}`, path) ??
    ofListener(config, scheme, authority, path)
  )
}

/** The upstream's own address: what its clients called before they had the sidecar. */
function ofUpstream({ upstreams }: Config, origin: string, path: string): Meant | undefined {
  for (const { name, urls } of upstreams)
    for (const url of urls) {
      const own = new URL(url)
      const base = own.pathname === '/' ? '' : own.pathname.replace(/\/$/, '')
      if (own.origin !== origin || !(base === '' || path === base || path.startsWith(`${base}/`))) continue
      const below = path.slice(base.length)
      return { upstream: name, path: below.startsWith('/') ? below : `/${below}`, isShared: false }
    }
  return undefined
}

function ofListener({ upstreams, listen, control }: Config, scheme: string, authority: string, path: string): Meant {
  const port = Number(/:(\d+)$/.exec(authority)?.[1] ?? USUAL_PORTS[scheme.toLowerCase()])
  const own = upstreams.find((upstream) => upstream.listen?.port === port)
  if (own !== undefined) return { upstream: own.name, path, isShared: false }
  if (listen && listen.port === port) return { upstream: undefined, path, isShared: true }
  if (control.listen.port === port)
    throw new Unanswerable(`port ${port} is the control listener: its calls pass no policy`)
  throw new Unanswerable(
    `no listener has the port ${port}, and no upstream that address; there are ${listeners(listen, upstreams)}`,
  )
}

const listeners = (shared: Address | false | undefined, upstreams: Config['upstreams']) =>
  [
    ...(shared ? [`${written(shared)} (shared)`] : []),
    ...upstreams.flatMap(({ name, listen }) => (listen === undefined ? [] : [`${written(listen)} (${name})`])),
  ].join(', ')

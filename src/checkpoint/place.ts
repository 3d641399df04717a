/** Parses the place of a store: `file:<folder>`, `memory:`, or Redis as single server, Sentinel or Cluster. */

import type { Address } from '../net/listen.ts'
import { percentDecoded } from '../net/percent.ts'

export type StorePlace =
  | { readonly kind: 'memory' }
  | { readonly kind: 'file'; readonly folder: string }
  | { readonly kind: 'redis'; readonly target: RedisTarget }

export type RedisTarget = {
  /** Hosts of the server, of the sentinels, or of some nodes of the cluster. */
  readonly nodes: readonly Address[]
  readonly mode: 'single' | 'sentinel' | 'cluster'
  /** Name of the master that the sentinels watch; '' otherwise. */
  readonly master: string
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  /** Password of the sentinels, which may differ from the server's. */
  readonly sentinelPassword: string | undefined
  readonly db: number
}

export const STORE_FORMS =
  'file:<folder>, memory:, redis://host:6379/0, rediss://…, redis+sentinel://host:26379,…/master/0 or redis+cluster://host:6379,…'

const REDIS_URL =
  /^redis(s)?(?:\+(sentinel|cluster))?:\/\/(?:([^@]*)@)?([^/@?]+)(?:\/([^?]*))?(?:\?sentinel_password=(.+))?$/

/**
 * Parses a store's URL. `rediss` is TLS. User and password are percent-encoded; the sentinels' own password is
 * `?sentinel_password=`.
 * @returns undefined when it has none of the forms.
 */
export function storePlace(text: string): StorePlace | undefined {
  if (text === 'memory:') return { kind: 'memory' }
  if (/^file:./.test(text)) return { kind: 'file', folder: text.slice('file:'.length) }
  const target = redisTarget(text)
  return target && { kind: 'redis', target }
}

function redisTarget(text: string): RedisTarget | undefined {
  const [, secure, mode = 'single', credentials = '', hosts = '', path = '', sentinelPassword] =
    REDIS_URL.exec(text) ?? []
  if (mode !== 'single' && mode !== 'sentinel' && mode !== 'cluster') return undefined
  const nodes = hosts.split(',').map((host) => node(host, mode === 'sentinel' ? 26_379 : 6379))
  const place = within(mode, path)
  const user = userInfo(credentials)
  if (place === undefined || user === undefined || !nodes.every((one) => one !== undefined)) return undefined
  if ((mode === 'single' && nodes.length > 1) || (mode !== 'sentinel' && sentinelPassword !== undefined))
    return undefined
  return { mode, tls: secure === 's', nodes, ...user, sentinelPassword: decoded(sentinelPassword), ...place }
}

/** Parses what follows the hosts: a database, a master's name with or without a database, or nothing. */
function within(mode: RedisTarget['mode'], path: string): Pick<RedisTarget, 'master' | 'db'> | undefined {
  const form = { single: /^(?<db>\d{0,5})$/, sentinel: /^(?<master>[\w.-]+)(?:\/(?<db>\d{0,5}))?$/, cluster: /^$/ }[
    mode
  ]
  const groups = form.exec(path)
  return groups === null ? undefined : { master: groups.groups?.master ?? '', db: Number(groups.groups?.db ?? 0) }
}

function node(text: string, port: number): Address | undefined {
  const [, inner, plain, written] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = inner ?? plain
  return host === undefined ? undefined : { host, port: written === undefined ? port : Number(written) }
}

function userInfo(text: string): Pick<RedisTarget, 'username' | 'password'> | undefined {
  const colon = text.indexOf(':')
  const [name, secret] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  const username = decoded(name)
  const password = decoded(secret)
  if (username === undefined || password === undefined) return undefined
  return { username: username || undefined, password: password || undefined }
}

const decoded = (text: string | undefined) => (text === undefined ? undefined : percentDecoded(text))

/** Parses a Redis URL; false for ''. @returns undefined for anything else. */
export function redisOrNone(text: string): RedisTarget | false | undefined {
  if (text === '') return false
  const place = storePlace(text)
  return place?.kind === 'redis' ? place.target : undefined
}

/** A place without its credentials, for logs and answers. */
export function placeName(place: StorePlace): string {
  if (place.kind === 'memory') return 'memory:'
  if (place.kind === 'file') return `file:${place.folder}`
  const { mode, tls, nodes, master, db } = place.target
  const hosts = nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
  const scheme = `redis${tls ? 's' : ''}${mode === 'single' ? '' : `+${mode}`}`
  const path = { single: `/${db}`, sentinel: `/${master}/${db}`, cluster: '' }[mode]
  return `${scheme}://${hosts}${path}`
}

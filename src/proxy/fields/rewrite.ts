/** URLs of an upstream in its responses, as its client must call them. */

/** What is rewritten in the responses of a route. */
export type Rewriting = {
  /** Fields with URLs besides those that every route has, in lower case. */
  readonly names: ReadonlySet<string>
  /** JSON Pointers to URLs in bodies. */
  readonly pointers: readonly string[]
  /** Largest body in bytes that is looked at. */
  readonly inspectBytes: number
}

/** How a client addresses an upstream. */
export type Address = {
  /** Scheme, host and port of the upstream's endpoints. One at least. */
  readonly origins: readonly URL[]
  /** Path prefix at the upstream without a trailing slash; '' for none. */
  readonly basePath: string
  /** The Host that the upstream is told where it is not its own; '' otherwise. It may call itself by that. */
  readonly toldHost: string
  /** Scheme and authority that the client called, e.g. `http://127.0.0.1:8080`; '' for a bare path. */
  readonly self: string
  /** The upstream's segment on the shared listener, e.g. `/web`; '' on its own listener. */
  readonly prefix: string
}

/** Fields whose value is a URL. */
const URL_FIELDS: ReadonlySet<string> = new Set([
  'location',
  'content-location',
  'operation-location',
  'azure-asyncoperation',
])

/** @param name in lower case. */
export function rewritten(name: string, value: string, { names }: Rewriting, address: Address): string {
  if (URL_FIELDS.has(name)) return relocate(value, address)
  if (name === 'link') return relocateLinks(value, address)
  if (name === 'refresh') return relocateRefresh(value, address)
  if (name === 'set-cookie') return relocateCookie(value, address)
  if (!names.has(name)) return value
  return value.startsWith('<') ? relocateLinks(value, address) : relocate(value, address)
}

/**
 * Rewrites a URL of the upstream to one that the client can call. Only absolute URLs at the upstream's origins, and absolute
 * paths, are rewritten, and only below its base path.
 */
export function relocate(location: string, address: Address): string {
  const isPath = location.startsWith('/') && !location.startsWith('//')
  if (!isPath && !isOfUpstream(location, address)) return location
  const path = isPath ? location : location.replace(/^[^/]*\/\/[^/?#]*/, '')
  const rest = belowBase(path.startsWith('/') ? path : `/${path}`, address.basePath)
  if (rest === undefined) return location
  return `${isPath ? '' : address.self}${address.prefix}${rest.startsWith('/') ? rest : `/${rest}`}`
}

function isOfUpstream(location: string, { origins, toldHost }: Address): boolean {
  if (!/^([a-z][a-z0-9+.-]*:)?\/\//i.test(location)) return false
  const told = toldHost === '' ? [] : ['http:', 'https:'].map((scheme) => URL.parse(`${scheme}//${toldHost}`)?.origin)
  return origins.some((own) => {
    const origin = URL.parse(location, own)?.origin
    return origin !== undefined && (origin === own.origin || told.includes(origin))
  })
}

/** A path without the base path; undefined for a path that is not below it. */
function belowBase(path: string, basePath: string): string | undefined {
  if (!path.startsWith(basePath)) return undefined
  const rest = path.slice(basePath.length)
  return /^(?:[/?#]|$)/.test(rest) ? rest : undefined
}

// What follows reads values that an upstream chose, of up to `maxHead`: by patterns and searches whose time grows with their length,
// not with its square.

/** Rewrites each `<URL>` of a Link field (RFC 8288 section 3). */
const relocateLinks = (value: string, address: Address) =>
  value.replaceAll(/<([^<>]*)>/g, (_, url: string) => `<${relocate(url, address)}>`)

const BEFORE_REFRESH_URL = /^\s*[\d.]+\s*[;,\s]\s*(?:url\s*=\s*)?/i

/** Rewrites the URL of `5; url=/next` (HTML, "Shared declarative refresh steps"), with or without quotes. */
function relocateRefresh(value: string, address: Address): string {
  const [before] = BEFORE_REFRESH_URL.exec(value) ?? []
  if (before === undefined) return value
  const rest = value.slice(before.length).trimEnd()
  const [first = ''] = rest
  const quote = /["']/.test(first) && rest.length > 1 && rest.endsWith(first) ? first : ''
  const url = rest.slice(quote.length, rest.length - quote.length)
  return `${before}${quote}${relocate(url, address)}${quote}`
}

/**
 * Rewrites a cookie's Path, and drops a Domain that covers the upstream: the client does not call that name, and would refuse
 * the cookie (RFC 6265 section 5.3).
 */
function relocateCookie(value: string, address: Address): string {
  const [pair = '', ...attributes] = value.split(';')
  const kept = attributes.flatMap((attribute) => {
    const [name = '', text = ''] = nameAndValue(attribute)
    const key = name.toLowerCase()
    if (key === 'domain' && coversUpstream(text.replace(/^\./, '').toLowerCase(), address)) return []
    if (key !== 'path' || !text.startsWith('/')) return [attribute]
    const path = cookiePath(text, address)
    return [path === text ? attribute : ` ${name}=${path}`]
  })
  return [pair, ...kept].join(';')
}

function nameAndValue(attribute: string): string[] {
  const equals = attribute.indexOf('=')
  const parts = equals < 0 ? [attribute] : [attribute.slice(0, equals), attribute.slice(equals + 1)]
  return parts.map((part) => part.trim())
}

function coversUpstream(domain: string, { origins, toldHost }: Address): boolean {
  const told = toldHost === '' ? undefined : URL.parse(`http://${toldHost}`)?.hostname
  return [...origins.map(({ hostname }) => hostname), told].some(
    (host) => host !== undefined && domain !== '' && (host === domain || host.endsWith(`.${domain}`)),
  )
}

/** A cookie of a path above the base path is sent to all of the upstream. Without a final slash it is sent to the prefix, too. */
function cookiePath(path: string, { basePath, prefix }: Address): string {
  const isAbove = path !== basePath && basePath.startsWith(path.endsWith('/') ? path : `${path}/`)
  const rest = isAbove ? '' : belowBase(path, basePath)
  if (rest === undefined) return path
  const below = `${prefix}${rest === '/' ? '' : rest}`
  return below === '' ? '/' : below
}

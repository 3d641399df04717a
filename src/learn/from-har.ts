import { isMap } from '../config/kinds/setting.ts'
import type { Exchange, Recording } from './exchange.ts'

/**
 * Reads an HTTP Archive, as browsers and proxies save it (HAR 1.2). Each origin is an upstream.
 * @returns undefined for a document that is none.
 */
export function recordingOfHar(document: unknown): Recording | undefined {
  const log = isMap(document) ? document.log : undefined
  if (!isMap(log) || !Array.isArray(log.entries)) return undefined
  const urls = new Map<string, string>()
  const found = log.entries.map((entry: unknown) => (isMap(entry) ? exchangeOf(entry, urls) : undefined))
  const exchanges = found.filter((one) => one !== undefined)
  return { exchanges, urls, hasBodies: true, unread: found.length - exchanges.length }
}

type Fields = Readonly<Record<string, unknown>>

function exchangeOf(entry: Fields, urls: Map<string, string>): Exchange | undefined {
  const { request, response, timings } = entry
  if (!isMap(request) || !isMap(response) || typeof request.url !== 'string') return undefined
  if (!URL.canParse(request.url)) return undefined
  const url = new URL(request.url)
  if (!/^https?:$/.test(url.protocol)) return undefined
  const upstream = nameOf(url, urls)
  const totalMs = positive(entry.time)
  const waits = isMap(timings) ? ['blocked', 'dns', 'connect', 'send', 'wait'].map((key) => positive(timings[key])) : []
  const status = Number(response.status)
  return {
    upstream,
    method: String(request.method),
    path: url.pathname,
    query: [...url.searchParams],
    status,
    headers: fieldsOf(response.headers),
    body: bodyOf(response.content),
    bytes: isMap(response.content) ? positive(response.content.size) : 0,
    atMs: Date.parse(String(entry.startedDateTime)) || 0,
    firstByteMs:
      status > 0
        ? Math.min(
            totalMs,
            waits.reduce((sum, ms) => sum + ms, 0),
          )
        : undefined,
    totalMs,
  }
}

/** HAR writes -1 for what does not apply. */
const positive = (value: unknown) => (typeof value === 'number' && value > 0 ? value : 0)

/** A name for an origin: the host's first label that tells something, with a number where it is taken. */
function nameOf({ origin, hostname }: URL, urls: Map<string, string>): string {
  for (const [name, url] of urls) if (url === origin) return name
  const labels = hostname.replace(/^\[|\]$/g, '').split('.')
  const isAddress = /^[\d.:]+$/.test(hostname) || labels.length === 1
  const telling = isAddress ? labels.join('-') : (labels.at(-2) ?? hostname)
  const base =
    telling
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'upstream'
  let name = base
  for (let n = 2; urls.has(name); n += 1) name = `${base}-${n}`
  urls.set(name, origin)
  return name
}

function fieldsOf(fields: unknown): ReadonlyMap<string, string> {
  const list: readonly unknown[] = Array.isArray(fields) ? fields : []
  return new Map(
    list.flatMap((field) => (isMap(field) ? [[String(field.name).toLowerCase(), String(field.value)]] : [])),
  )
}

function bodyOf(content: unknown): unknown {
  if (!isMap(content) || typeof content.text !== 'string' || !/json/i.test(String(content.mimeType))) return undefined
  const text = content.encoding === 'base64' ? Buffer.from(content.text, 'base64').toString() : content.text
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a body that was cut, or that is no JSON in spite of its type: nothing is learned from it
  }
}

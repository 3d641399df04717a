import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { listening } from '../support/ports.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** What the echo says of a request. */
export type Echoed = {
  readonly method: string
  readonly target: string
  /** Fields that the sidecar neither adds nor takes, as they came. */
  readonly fields: readonly string[]
  readonly chunked: boolean
  readonly bytes: number
  /** With `boundary` for the random boundary of multipart bodies. */
  readonly sha256: string
}

/** Fields of requests that belong to a connection, or that the sidecar adds: see docs/fields.md. */
const NOT_PASSED =
  /^(host|connection|keep-alive|transfer-encoding|expect|te|via|x-forwarded-(for|proto|host)|x-request-id|traceparent)$/i

const PERIOD = Buffer.from(Array.from({ length: 251 }, (_, i) => i))

/** @returns bytes in which a part that is lost, doubled or moved shows. */
export const bytesOf = (length: number) => Buffer.alloc(length, PERIOD)

export const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/**
 * Starts a server on node:http that answers with what it got, as JSON. Some paths are special: `/bytes/<n>` takes ranges,
 * `/stream/<n>` has no length, `/status/<n>`, `/missing`, `/empty`, `/gzip`, `/redirect`, `/page`, `/events`.
 * @returns its origin.
 */
export async function echoUpstream(t: Scope, keepAliveMs = 5_000): Promise<string> {
  const server = createServer({ keepAliveTimeout: keepAliveMs, keepAliveTimeoutBuffer: 0 }, answer)
  const port = await listening(server)
  t.onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${port}`
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk)
  } catch {
    return // The client broke off.
  }
  const { method = '', url: target = '', rawHeaders, headers } = request
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1]
  const named = (text: string) => (boundary === undefined ? text : text.replaceAll(boundary, 'boundary'))
  const fields = rawHeaders.flatMap((name, i) =>
    i % 2 === 1 || NOT_PASSED.test(name) ? [] : [`${name}: ${named(rawHeaders[i + 1] ?? '')}`],
  )
  const chunked = headers['transfer-encoding'] === 'chunked'
  const body = Buffer.concat(chunks)
  const sha256 = sha256Of(boundary === undefined ? body : Buffer.from(named(body.toString('latin1')), 'latin1'))
  const [, kind = '', amount = '0'] = /^\/(\w+)(?:\/(\d+))?/.exec(target) ?? []
  const special = SPECIAL[kind]
  if (special !== undefined) return special(request, response, Number(amount))
  sendJson(response, { method, target, fields, chunked, bytes: body.length, sha256 } satisfies Echoed)
}

function sendJson(response: ServerResponse, value: object): void {
  const text = JSON.stringify(value)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length }).end(text)
}

type Special = (request: IncomingMessage, response: ServerResponse, amount: number) => void

const SPECIAL: Readonly<Record<string, Special>> = {
  bytes: ({ headers }, response, length) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
    const isPart = from !== undefined && to !== undefined
    const part = isPart ? bytesOf(length).subarray(Number(from), Number(to) + 1) : bytesOf(length)
    response.writeHead(isPart ? 206 : 200, {
      'content-length': part.length,
      'accept-ranges': 'bytes',
      ...(isPart ? { 'content-range': `bytes ${from}-${to}/${length}` } : {}),
    })
    response.end(part)
  },
  stream: (_, response, length) => {
    const all = bytesOf(length)
    for (let at = 0; at < length; at += 65_536) response.write(all.subarray(at, at + 65_536))
    response.end()
  },
  status: (_, response, status) => {
    if (status === 204 || status === 304) response.writeHead(status).end()
    else response.writeHead(status, { 'content-type': 'text/plain' }).end(`status ${status}`)
  },
  missing: (_, response) => void response.writeHead(404).end('missing'),
  empty: (_, response) => void response.writeHead(204).end(),
  gzip: ({ headers }, response) => {
    const isTaken = `${headers['accept-encoding']}`.includes('gzip')
    const text = Buffer.from('compressible '.repeat(1_000))
    if (isTaken) response.writeHead(200, { 'content-encoding': 'gzip', vary: 'accept-encoding' }).end(gzipSync(text))
    else response.end(text)
  },
  redirect: (_, response) => {
    response.writeHead(302, { location: '/echo/after', 'set-cookie': ['a=1; Path=/', 'b=2; Path=/'] }).end()
  },
  page: (_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>')
  },
  events: (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const n of [1, 2, 3]) response.write(`data: ${n}\n\n`)
    response.end()
  },
}

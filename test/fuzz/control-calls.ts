/** Random calls of the control API: every operation of its document, with any kind of body, target and framing. */

import type { Chance } from './chance.ts'
import { type Document, documentOf } from './documents.ts'

export type ControlCall = {
  readonly method: string
  readonly target: string
  readonly document: Document | undefined
  /** Job that only this append or save names; undefined for any other call. */
  readonly ownJob: string | undefined
  readonly pieces: readonly Buffer[]
  /** The client closes the connection before the response. */
  readonly leaves: boolean
  /** The whole request is valid HTTP. */
  readonly isSound: boolean
}

export type Described = { readonly method: string; readonly path: string; readonly takesBody: boolean }

const ODD_SEGMENTS = [
  '.',
  '..',
  '%2e%2e',
  '%00',
  '%ff',
  'a%2Fb',
  '%',
  'x'.repeat(129),
  'é',
  '__proto__',
  'a b',
  '',
  '*',
]
const ODD_QUERIES = [
  'limit=0',
  'limit=1e9',
  'limit=1',
  'cursor=%ff',
  'cursor=..',
  'stage=A',
  'completed=-1&total=1e400',
  'a&&b==',
  '%',
  'limit=1&limit=2',
  'path=/bare/x&method=GET',
  'path=%00',
]
const ODD_FIELDS = [
  'If-Match: *',
  'If-None-Match: *',
  'If-Match: "1", W/"x"',
  'If-Match: \x80',
  'Origin: http://elsewhere',
  'Host: elsewhere',
  'Authorization: Bearer \xff',
  'Accept: application/openmetrics-text',
  'Expect: 100-continue',
  'Content-Encoding: gzip',
  'Accept-Encoding: br;q=x',
  'Range: bytes=0-1',
  'If-None-Match: "1"',
]

/** The event stream, which never ends, and reloads, which change the configuration in force. */
const LEFT_OUT = /^\/v1\/(?:events|config\/reload)$/

/** @param document the OpenAPI document, from /openapi.json. */
export function operationsIn(document: {
  readonly paths: Record<string, Record<string, { requestBody?: unknown }>>
}): Described[] {
  return Object.entries(document.paths)
    .filter(([path]) => !LEFT_OUT.test(path))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        takesBody: requestBody !== undefined,
      })),
    )
}

export function controlCall(number: number, chance: Chance, operations: readonly Described[]): ControlCall {
  const writing = operations.filter(({ takesBody }) => takesBody)
  const known = chance.oneOf(chance.often(0.6) ? writing : operations)
  const method = chance.often(0.05) ? chance.oneOf(['PATCH', 'TRACE', 'OPTIONS', 'HEAD', 'x']) : known.method
  const isOwn = known.path.includes('{job}') && known.takesBody && chance.often(0.6)
  const job = isOwn ? `own-${number}` : `job-${chance.between(0, 9)}`
  const odd = !isOwn && chance.often(0.15)
  const path = known.path.replace(/\{(\w+)\}/g, (_, name) =>
    odd ? chance.oneOf(ODD_SEGMENTS) : name === 'name' ? 'bare' : job,
  )
  const target = `${path}${chance.often(0.2) ? `?${chance.oneOf(ODD_QUERIES)}` : ''}`.replace(' ', '%20')
  const document = known.takesBody || chance.often(0.05) ? documentOf(chance, known.path) : undefined
  const fields = ['Host: 127.0.0.1', ...(isOwn || chance.often(0.8) ? [] : [chance.oneOf(ODD_FIELDS)])]
  const body = document?.bytes ?? Buffer.alloc(0)
  const framing =
    document === undefined ? 'none' : chance.oneOf(['length', 'length', 'chunked', 'short', 'long'] as const)
  if (framing === 'chunked') fields.push('Transfer-Encoding: chunked')
  if (framing === 'length') fields.push(`Content-Length: ${body.length}`)
  if (framing === 'short') fields.push(`Content-Length: ${Math.max(0, body.length - 1)}`)
  if (framing === 'long') fields.push(`Content-Length: ${body.length + 10}`)
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1')
  const chunk = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
  const chunked = body.length === 0 ? Buffer.from('0\r\n\r\n') : chunk
  const bytes = Buffer.concat([head, framing === 'chunked' ? chunked : body])
  const leaves = framing === 'long' || chance.often(0.1)
  const cut = chance.between(1, bytes.length)
  return {
    method,
    target,
    document,
    ownJob: isOwn ? job : undefined,
    pieces: leaves && chance.often(0.5) ? [bytes.subarray(0, cut)] : [bytes.subarray(0, cut), bytes.subarray(cut)],
    leaves,
    isSound:
      method !== 'x' &&
      framing !== 'short' &&
      !leaves &&
      !fields.includes('Host: elsewhere') &&
      !/[^\x21-\x7e]/.test(target),
  }
}

/** Reads the body of a control call as JSON. Refuses what could not be stored exactly as it was sent. */

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { jsonFault } from '../../checkpoint/json-fault.ts'
import { Refusal } from './operation.ts'

/** @throws Refusal, with the field where there is one, when the body is too large, not JSON, not UTF-8 or nested too deeply. */
export async function jsonOf(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const body = Buffer.concat(await piecesOf(request, maxBytes))
  const isSound = isUtf8(body)
  const value = parsed(isSound ? new TextDecoder('utf-8', { fatal: true }).decode(body) : marked(body), isSound)
  const fault = jsonFault(value)
  if (fault === undefined && isSound) return value
  const { field = '', why = '' } = fault ?? {}
  const detail = isSound ? why : NOT_UTF8
  throw field === '' ? new Refusal(400, `the body ${detail}`) : new Refusal(400, `${field}: ${detail}`, field)
}

const NOT_UTF8 = 'is not UTF-8'

/** @throws Refusal when the body is too large, or ends early. */
export async function piecesOf(request: IncomingMessage, maxBytes: number): Promise<Buffer[]> {
  const tooLarge = () => new Refusal(413, `the body is larger than ${maxBytes} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else reject(tooLarge())
    })
    request.on('end', resolve)
    request.on('close', () => {
      if (!request.complete) reject(new Refusal(400, 'the body ended early'))
    })
  })
  return chunks
}

function parsed(text: string, isSound: boolean): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Refusal(400, isSound ? `the body is not JSON: ${messageOf(error)}` : `the body ${NOT_UTF8}`)
  }
}

/** The parser quotes strings, and a quotation may end within a character. */
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).toWellFormed()

/**
 * Text of a body that is not UTF-8, with a lone surrogate at the first wrong byte, so that `jsonFault` finds the field. Two of
 * them, since the first might pair with an escape before it.
 */
function marked(body: Buffer): string {
  const again = Buffer.from(body.toString())
  const at = body.findIndex((byte, i) => byte !== again[i])
  return `${body.subarray(0, at).toString()}\\udc00\\udc00${body.subarray(at).toString()}`
}

/** Messages as a reader sees them, and the codec's own readers in that form. */

import type { MessageFault, RequestHead, ResponseHead } from '../../src/http1/head.ts'
import { RequestReader, ResponseReader } from '../../src/http1/reader.ts'

export const LIMITS = { maxHeadBytes: 65_536, maxFields: 1_000, maxTargetBytes: 16_384 }

export type Message = {
  /** The method or the status. */
  readonly start: string
  /** The target or the reason. */
  readonly target: string
  readonly minor: number
  readonly headers: readonly string[]
  /** latin1 */
  body: string
  trailers: readonly string[]
  readonly keepAlive: boolean
  isWhole: boolean
  /** The codec reads no message after it. */
  readonly isLast: boolean
}

export type Outcome = {
  readonly messages: readonly Message[]
  /** Why it stopped early: a code of llhttp, or kind and detail of a fault; '' when it did not. */
  readonly error: string
}

/** Reads requests until a fault, an upgrade, `Connection: close` or the end of the bytes. */
export function readRequests(pieces: readonly Buffer[]): Outcome {
  const messages: Message[] = []
  let error = ''
  let isLast = false
  const reader: RequestReader = new RequestReader(
    {
      head: (head) => {
        isLast = !head.keepAlive || head.upgrade !== '' || head.method === 'CONNECT' || isOldUpgrade(head)
        messages.push({ ...messageOf(head.method, head.target, head), isLast })
        if (head.method === 'CONNECT') reader.stop()
      },
      data: (chunk) => addBody(messages, chunk),
      end: (trailers) => {
        finish(messages, trailers)
        if (isLast) reader.stop()
        else reader.next()
      },
      fault: (fault) => {
        error = textOf(fault)
      },
    },
    LIMITS,
  )
  for (const piece of pieces) reader.feed(piece)
  reader.ended()
  return { messages, error }
}

/** Reads responses until a fault, status 101, the end of a connection or the end of the bytes. */
export function readResponses(pieces: readonly Buffer[], asked: readonly string[], isCleanEnd = true): Outcome {
  const messages: Message[] = []
  let error = ''
  let isLast = false
  const reader: ResponseReader = new ResponseReader(
    {
      interim: (head) => {
        messages.push({ ...messageOf(String(head.status), head.statusText, head), isWhole: true })
      },
      head: (head) => {
        isLast = !head.keepAlive || head.status === 101
        const isWhole = head.status === 101
        messages.push({ ...messageOf(String(head.status), head.statusText, head), isLast, isWhole })
        if (head.status === 101) reader.stop()
      },
      data: (chunk) => addBody(messages, chunk),
      end: (trailers) => {
        finish(messages, trailers)
        if (isLast) reader.stop()
      },
      fault: (fault) => {
        error ||= textOf(fault)
      },
    },
    LIMITS,
  )
  for (const method of asked) reader.expect(method)
  for (const piece of pieces) reader.feed(piece)
  reader.ended(isCleanEnd)
  return { messages, error }
}

/** node:http and llhttp stop at an Upgrade of HTTP/1.0, too, which the codec ignores. */
export const isOldUpgrade = ({ minor, headers }: RequestHead) =>
  minor === 0 && headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'upgrade')

const textOf = ({ kind, detail }: MessageFault) => `${kind}: ${detail}`

export const messageOf = (start: string, target: string, head: RequestHead | ResponseHead): Message => ({
  start,
  target,
  minor: head.minor,
  headers: head.headers,
  body: '',
  trailers: [],
  keepAlive: head.keepAlive,
  isWhole: false,
  isLast: false,
})

function addBody(messages: readonly Message[], chunk: Buffer): void {
  const message = messages.at(-1)
  if (message) message.body += chunk.toString('latin1')
}

function finish(messages: readonly Message[], trailers: readonly string[]): void {
  const message = messages.at(-1)
  if (!message) return
  message.trailers = trailers
  message.isWhole = true
}

/** The bytes in pieces that end at these indices. */
export function piecesOf(bytes: Buffer, ends: readonly number[]): Buffer[] {
  const sorted = [0, ...new Set(ends), bytes.length].sort((a, b) => a - b)
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
}

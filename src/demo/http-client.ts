/** A client with make-video's httpx settings: 30 s per read, three more tries per connect. */

import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export type Answer = { readonly status: number; readonly body: Buffer }

export type Ask = {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
  /** Longest silence in ms, instead of the client's own. */
  readonly readTimeoutMs?: number
}

export type HttpClient = { readonly ask: (url: string, ask?: Ask) => Promise<Answer>; readonly close: () => void }

/** Waits between connects, in ms at full scale. */
const CONNECT_WAITS_MS = [0, 500, 1_000]

/** @param scale length of a second. */
export function createHttpClient(scale: number): HttpClient {
  const agent = new Agent({ keepAlive: true, timeout: 5_000 })
  const once = (url: string, { method = 'GET', headers = {}, body, readTimeoutMs = 30_000 }: Ask): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const outgoing = request(url, { method, agent, headers: { ...headers, ...length } }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
      })
      outgoing.setTimeout(readTimeoutMs * scale, () => outgoing.destroy(new Error('ReadTimeout')))
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  return {
    close: () => agent.destroy(),
    ask: async (url, ask = {}) => {
      for (const waitMs of CONNECT_WAITS_MS) {
        try {
          return await once(url, ask)
        } catch (error) {
          if (nameOf(error) !== 'ECONNREFUSED') throw error
          await pause(waitMs * scale)
        }
      }
      return once(url, ask)
    },
  }
}

/** What an operator would search the log for. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

/** A scripted server of a job API: each of its calls plays a list of answers, the last one again and again. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Scope } from '../support/scripted-upstream.ts'

export type Answer =
  | {
      readonly status?: number
      readonly headers?: Readonly<Record<string, string>>
      /** An object is sent as JSON. */
      readonly body?: object | string
      /** The answer comes after this. */
      readonly after?: Promise<void>
    }
  /** Resets the connection. */
  | 'reset'
  /** A file with a strong ETag. Without a Range only its first half comes, and the connection breaks off. */
  | { readonly file: Buffer; readonly type?: string }

/** An answer that has URLs of the server in it is a function of its origin. */
export type Scripted = Answer | ((origin: string) => Answer)

/** `POST /v1/jobs`, with `x-amz-target` in the place of the path where the request has one: the answers. A `*` ends a prefix. */
export type Script = Readonly<Record<string, readonly Scripted[]>>

type Arrival = {
  readonly call: string
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export type JobServer = {
  readonly origin: string
  readonly arrivals: readonly Arrival[]
  /** Resolves when the n-th request (from 1) of the call has arrived whole. */
  arrived(call: string, n: number): Promise<Arrival>
}

export async function jobServer(t: Scope, script: Script): Promise<JobServer> {
  const arrivals: Arrival[] = []
  const played = new Map<string, number>()
  const watchers = new Set<() => void>()
  let origin = ''
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: target = '', headers } = request
      const [path = ''] = target.split('?', 1)
      const asked = `${method} ${headers['x-amz-target'] ?? path}`
      const call = nameOf(script, asked)
      arrivals.push({ call, target, headers, body: Buffer.concat(chunks) })
      const n = played.get(call) ?? 0
      played.set(call, n + 1)
      const answers = script[call] ?? [{ status: 501, body: `not scripted: ${asked}` }]
      const scripted = answers[Math.min(n, answers.length - 1)] ?? {}
      play(typeof scripted === 'function' ? scripted(origin) : scripted, request, response)
      for (const watch of watchers) watch()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    arrivals,
    arrived: (call, n) =>
      new Promise((resolve) => {
        const look = () => {
          const found = arrivals.filter((one) => one.call === call)[n - 1]
          if (found === undefined) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
      }),
  }
}

const nameOf = (script: Script, asked: string) =>
  Object.keys(script).find((call) => (call.endsWith('*') ? asked.startsWith(call.slice(0, -1)) : call === asked)) ??
  asked

function play(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (answer === 'reset') return void request.socket.resetAndDestroy()
  if ('file' in answer) return sendFile(answer.file, answer.type, request, response)
  const { status = 200, headers = {}, body = '', after = Promise.resolve() } = answer
  const isJson = typeof body !== 'string'
  void after.then(() => {
    response.writeHead(status, { ...(isJson ? { 'content-type': 'application/json' } : {}), ...headers })
    response.end(isJson ? JSON.stringify(body) : body)
  })
}

function sendFile(file: Buffer, type = 'application/octet-stream', request: IncomingMessage, response: ServerResponse) {
  const shared = { 'content-type': type, etag: '"5f3a-1"', 'accept-ranges': 'bytes' }
  const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
  if (from !== undefined) {
    const rest = file.subarray(Number(from))
    const range = `bytes ${from}-${file.length - 1}/${file.length}`
    response.writeHead(206, { ...shared, 'content-range': range, 'content-length': rest.length })
    return void response.end(rest)
  }
  response.writeHead(200, { ...shared, 'content-length': file.length })
  response.write(file.subarray(0, file.length / 2), () => request.socket.resetAndDestroy())
}

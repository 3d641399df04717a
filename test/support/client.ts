import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Readable } from 'node:stream'

export type Answer = {
  readonly status: number
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly trailers: Readonly<Record<string, string | undefined>>
  /** 1xx responses that came before. */
  readonly informational: readonly { readonly status: number; readonly headers: IncomingHttpHeaders }[]
}

export type Ask = {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders | readonly string[]
  readonly body?: Buffer | string | Readable
}

/** One request on a connection of its own. Rejects when the response does not arrive whole. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const informational: { status: number; headers: IncomingHttpHeaders }[] = []
    const outgoing = request(url, { method, agent: false, headers: headers as OutgoingHttpHeaders })
    outgoing.on('error', reject)
    outgoing.on('information', (info) => informational.push({ status: info.statusCode, headers: info.headers }))
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode = 0, statusMessage = '', headers: fields, rawHeaders, trailers } = response
        const whole = Buffer.concat(chunks)
        resolve({
          status: statusCode,
          statusText: statusMessage,
          headers: fields,
          rawHeaders,
          body: whole,
          trailers,
          informational,
        })
      })
    })
    if (typeof body === 'object' && 'pipe' in body) body.pipe(outgoing)
    else outgoing.end(body)
  })
}

/** The problem document of an answer that the sidecar gave on its own account. */
export function problemOf(answer: Answer): Record<string, unknown> {
  if (answer.headers['content-type'] !== 'application/problem+json') throw new Error(`no problem: ${answer.body}`)
  return JSON.parse(answer.body.toString())
}

/** Opens a TCP connection that sends bytes unchanged and collects the bytes it receives. */
export function openRaw(port: number): RawConnection {
  return new RawConnection(connect(port, '127.0.0.1'))
}

class RawConnection {
  readonly socket: Socket
  #received = ''
  #watchers: (() => void)[] = []
  /** Resolves when the other side has closed the connection, or reset it. */
  readonly ended: Promise<'end' | 'reset'>

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      for (const watch of this.#watchers.splice(0)) watch()
    })
    this.ended = new Promise((resolve) => {
      socket.once('end', () => resolve('end'))
      socket.once('error', () => resolve('reset'))
    })
  }

  get received(): string {
    return this.#received
  }

  send(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Resolves once the received text matches. @returns all of it. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) await new Promise<void>((resolve) => this.#watchers.push(resolve))
    return this.#received
  }
}

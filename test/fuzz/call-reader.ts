/** Strict reader, on the side of the upstream, of the requests that the sidecar writes. */

import type { Socket } from 'node:net'

export type Received = {
  readonly method: string
  readonly target: string
  readonly fields: ReadonlyMap<string, string>
  /** Resolves with the bytes of the body once it is whole; never when the connection ends before. */
  readonly whole: Promise<Buffer>
}

type Body = { readonly chunks: Buffer[]; readonly isChunked: boolean; left: number; done: (body: Buffer) => void }

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP\/1\.1$/
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)$/

/**
 * Reads requests until the connection ends or `onRequest` returns 'tunnel'.
 * @param onFault gets the reason when a request is not valid HTTP, e.g. has two lengths.
 */
export function readRequests(
  socket: Socket,
  onRequest: (received: Received) => 'goes on' | 'tunnel',
  onFault: (what: string) => void,
): void {
  let rest: Buffer = Buffer.alloc(0)
  let body: Body | undefined
  let isOver = false
  const fault = (what: string) => {
    isOver = true
    onFault(what)
    socket.destroy()
  }
  socket.on('data', (bytes: Buffer) => {
    if (isOver) return
    rest = Buffer.concat([rest, bytes])
    while (!isOver && (body === undefined ? readHead() : readBody(body)));
  })

  function readHead(): boolean {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    rest = rest.subarray(end + 4)
    const [, method = '', target = ''] = REQUEST_LINE.exec(first) ?? []
    if (method === '') return refuse(`no request line: ${JSON.stringify(first.slice(0, 80))}`)
    const fields = new Map<string, string>()
    for (const line of lines) {
      const [, name = '', value = ''] = FIELD.exec(line) ?? []
      const key = name.toLowerCase()
      if (name === '') return refuse(`no field: ${JSON.stringify(line.slice(0, 80))}`)
      if (fields.has(key) && /^(?:host|content-length|transfer-encoding)$/.test(key)) return refuse(`two of ${key}`)
      fields.set(key, value)
    }
    if (!fields.has('host')) return refuse('no Host')
    if (fields.has('content-length') && fields.has('transfer-encoding')) return refuse('a length beside a coding')
    const coming = Promise.withResolvers<Buffer>()
    const isChunked = fields.has('transfer-encoding')
    const left = Number(fields.get('content-length') ?? 0)
    if (isChunked || left > 0) body = { chunks: [], isChunked, left: isChunked ? -1 : left, done: coming.resolve }
    else coming.resolve(Buffer.alloc(0))
    if (onRequest({ method, target, fields, whole: coming.promise }) === 'tunnel') isOver = true
    return rest.length > 0
  }

  function readBody(current: Body): boolean {
    if (current.isChunked && current.left < 0) return readChunkLine(current)
    const bytes = rest.subarray(0, current.left)
    current.chunks.push(bytes)
    current.left -= bytes.length
    rest = rest.subarray(bytes.length)
    if (current.left > 0) return false
    if (!current.isChunked) return finish(current)
    if (rest.length < 2) return false
    if (rest.subarray(0, 2).toString('latin1') !== '\r\n') return refuse('no CRLF after a chunk')
    rest = rest.subarray(2)
    current.left = -1
    return rest.length > 0
  }

  function readChunkLine(current: Body): boolean {
    const end = rest.indexOf('\r\n')
    if (end < 0) return false
    const line = rest.subarray(0, end).toString('latin1')
    if (!/^[0-9A-Fa-f]+$/.test(line)) return refuse(`no size of a chunk: ${JSON.stringify(line.slice(0, 40))}`)
    const size = Number.parseInt(line, 16)
    if (size > 0) {
      current.left = size
      rest = rest.subarray(end + 2)
      return rest.length > 0
    }
    // The sidecar relays no trailers: an empty line follows the last chunk.
    if (rest.length < end + 4) return false
    rest = rest.subarray(end + 4)
    return finish(current)
  }

  function finish({ chunks, done }: Body): boolean {
    body = undefined
    done(Buffer.concat(chunks))
    return rest.length > 0
  }

  function refuse(what: string): false {
    fault(what)
    return false
  }
}

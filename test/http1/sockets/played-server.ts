/** A raw server that plays one script of bytes for each request, and tells on which connection the request came. */

import { createServer, type Socket } from 'node:net'
import { piecesOf } from '../messages.ts'
import { listening } from '../../support/ports.ts'
import type { Asked, TestClient, Told } from './clients.ts'
import { deliver, settled, turnUntil } from './delivery.ts'

export type Play = Asked & {
  readonly bytes: Buffer
  readonly cuts: readonly number[]
  /**
   * What the server does next: keeps the connection, unless the client still waits; ends or resets it; `ends at once`: with the
   * last bytes.
   */
  readonly then: 'stays' | 'ends' | 'resets' | 'ends at once'
}

/** @property connection number of the connection on which the request came. */
export type Exchanged = Told & { readonly connection: number; readonly isHung: boolean }

export class PlayedServer {
  port = 0
  readonly #server = createServer({ noDelay: true })
  #connections = 0
  #request: { readonly socket: Socket; readonly connection: number } | undefined

  constructor() {
    this.#server.on('connection', (socket) => {
      const connection = this.#connections
      this.#connections += 1
      let text = ''
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
        if (!text.includes('\r\n\r\n')) return
        text = ''
        this.#request = { socket, connection }
      })
    })
  }

  async listen(): Promise<void> {
    this.port = await listening(this.#server)
  }

  close(): void {
    this.#server.close()
  }

  /**
   * Plays each of them for one request of the client.
   * @param isHasty where the server ends the connection with a response, the next request is sent before the client can have
   * seen that end.
   */
  async play(client: TestClient, plays: readonly Play[], isHasty: boolean): Promise<Exchanged[]> {
    this.#connections = 0
    const all: Exchanged[] = []
    for (const play of plays) all.push(await this.#playOne(client, play, isHasty))
    for (const socket of client.sockets.values()) socket.resetAndDestroy()
    return all
  }

  async #playOne(client: TestClient, play: Play, isHasty: boolean): Promise<Exchanged> {
    this.#request = undefined
    const { told, over } = client.ask(play)
    const hasCome = await turnUntil(() => this.#request !== undefined || told.ending !== 'open')
    const request = this.#request as { readonly socket: Socket; readonly connection: number } | undefined
    if (!hasCome || request === undefined) return { ...told, connection: -1, isHung: !hasCome }
    const { socket, connection } = request
    const reader = client.sockets.get(socket.remotePort ?? 0)
    if (reader === undefined) throw new Error('the request came on a connection that the client has not opened')
    const pieces = piecesOf(play.bytes, play.cuts).filter(({ length }) => length > 0)
    const last = play.then === 'ends at once' ? pieces.pop() : undefined
    await deliver(pieces, socket, reader)
    // A response that was whole before comes with no end: what follows it is seen or not, as it happens.
    const isWithEnd = play.then === 'ends at once' && told.ending === 'open'
    if (play.then === 'ends at once') await endAtOnce(socket, last, reader)
    else await settled()
    if (play.then === 'resets') socket.resetAndDestroy()
    else if (play.then === 'ends' || told.ending === 'open') socket.end()
    const isOver = await Promise.race([over.then(() => true), turnUntil(() => told.ending !== 'open')])
    const isClosed = () => play.then === 'stays' || reader.destroyed
    // A tunnel's socket is the test's, and is read to its end.
    const isRead = () => told.ending !== 'switched' || reader.readableEnded || reader.destroyed
    if (isHasty && isWithEnd && told.ending === 'whole') return { ...told, connection, isHung: !isOver }
    await turnUntil(() => isClosed() && isRead())
    await settled()
    return { ...told, connection, isHung: !isOver }
  }
}

/** The reader finds the last bytes and the end together: it reads only when both have arrived. */
async function endAtOnce(socket: Socket, last: Buffer | undefined, reader: Socket): Promise<void> {
  reader.pause()
  socket.end(last ?? Buffer.alloc(0))
  await turnUntil(() => socket.writableFinished || socket.destroyed)
  await settled()
  reader.resume()
}

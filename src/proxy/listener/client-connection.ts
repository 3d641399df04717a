import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FaultCode } from '../../errors.ts'
import type { LocalLimit } from '../../events.ts'
import { guarded } from '../../guard.ts'

/** A request of the connection whose response is not over. */
type UnderWay = {
  readonly response: ServerResponse
  /** Whether its last byte has been read. */
  readonly isWhole: boolean
  /** The client is gone: also told where the response had no socket yet, as its turn had not come. */
  leave(): void
  /** The rest of it cannot be read: it is refused, or cut where its answer has begun. */
  spoil(code: FaultCode): void
  /** The sidecar ends: it is refused, or cut where its answer has begun. */
  shutDown(): void
}

/**
 * One client's connection and the requests on it that are not answered yet. Node answers pipelined requests in order, but
 * for an upgrade and for CONNECT it hands the socket over at once and takes its own listeners off, whatever is under way
 * before: this class keeps the turns and stands in for those listeners.
 */
export class ClientConnection {
  readonly socket: Socket
  readonly #underWay = new Set<UnderWay>()
  readonly #lose: (error: unknown) => void
  #onFree: (() => void) | undefined
  /** Whether node can read no further request from it, since it met bytes that are no HTTP. */
  isSpoilt = false
  /** The limit that leaves no room for this connection: its first request is refused, and it ends. undefined for all others. */
  overLimit: Exclude<LocalLimit, 'pipeline'> | undefined

  /** @param onFault told of what its own listeners throw; the connection ends with it. */
  constructor(socket: Socket, onFault: (error: unknown) => void) {
    this.socket = socket
    this.#lose = (error) => {
      onFault(error)
      socket.destroy()
    }
    socket.once('close', () => {
      for (const one of [...this.#underWay]) guarded(() => one.leave(), onFault)()
    })
  }

  /** The request that came last, when its response is not over. */
  get last(): UnderWay | undefined {
    return [...this.#underWay].at(-1)
  }

  /** Requests whose response is not over. */
  get size(): number {
    return this.#underWay.size
  }

  began(one: UnderWay): void {
    this.#underWay.add(one)
  }

  over(one: UnderWay): void {
    this.#underWay.delete(one)
    const onFree = this.#onFree
    if (onFree === undefined || this.#underWay.size > 1 || !this.socket.writable) return
    this.#onFree = undefined
    guarded(onFree, this.#lose)()
  }

  /** Ends each request under way on account of the sidecar's own end. */
  shutDown(): void {
    for (const one of [...this.#underWay]) guarded(() => one.shutDown(), this.#lose)()
  }

  /**
   * Calls back once the requests that came before the last one are answered; never, when the connection ends before that.
   * To be asked for the last request of a connection alone: after an upgrade, CONNECT or a fault node reads no other.
   */
  onTurn(turn: () => void): void {
    if (this.#underWay.size <= 1) turn()
    else this.#onFree = turn
  }

  /** Stands in for node's listeners on a socket that node has handed over. */
  takeOver(): void {
    this.socket.on('error', this.#onError)
    this.socket.on('drain', this.#onDrain)
    // A socket that nobody reads does not tell its end: it is looked for, and what the client sends before waits.
    this.socket.on('readable', this.#onReadable)
    this.socket.on('end', this.#onEnd)
  }

  /** The socket belongs to a tunnel from now on. */
  letGo(): void {
    this.socket.off('error', this.#onError)
    this.socket.off('drain', this.#onDrain)
    this.socket.off('readable', this.#onReadable)
    this.socket.off('end', this.#onEnd)
  }

  readonly #onError = () => void this.socket.destroy()

  /** An earlier response that waits for its slow client goes on. */
  readonly #onDrain = guarded(
    () => {
      for (const { response } of this.#underWay) {
        if (response.socket === this.socket && response.writableLength === 0) response.emit('drain')
      }
    },
    (error) => this.#lose(error),
  )

  readonly #onReadable = () => {
    if (this.socket.readableLength === 0) this.socket.read(0)
  }

  /** As node does: what is written goes out, and the connection ends. */
  readonly #onEnd = () => void this.socket.end()
}

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FaultCode } from '../../errors.ts'
import type { LocalLimit } from '../../events.ts'
import { guarded } from '../../guard.ts'

/** A request of the connection whose response has not ended. */
type UnderWay = {
  readonly response: ServerResponse
  /** Whether the whole request was read. */
  readonly isWhole: boolean
  /** Called when the client is gone, even when the response had no socket yet because its turn had not come. */
  leave(): void
  /** Called when the rest of the request cannot be read: refuses it, or cuts it when its answer has begun. */
  spoil(code: FaultCode): void
  /** Called when the sidecar ends: refuses the request, or cuts it when its answer has begun. */
  shutDown(): void
}

/**
 * One client's connection and its unanswered requests. Node answers pipelined requests in order, but hands the socket of an
 * upgrade or CONNECT over at once and removes its own listeners, whatever is still under way. This class keeps the order and
 * replaces those listeners.
 */
export class ClientConnection {
  readonly socket: Socket
  readonly #underWay = new Set<UnderWay>()
  readonly #lose: (error: unknown) => void
  #onFree: (() => void) | undefined
  /** Whether node can read no further request, because it met bytes that are not HTTP. */
  isSpoilt = false
  /** Limit that leaves no room for this connection: its first request is refused, and it ends. undefined otherwise. */
  overLimit: Exclude<LocalLimit, 'pipeline'> | undefined

  /** @param onFault called with what its listeners throw; the connection then ends. */
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

  /** The latest request, when its response has not ended. */
  get last(): UnderWay | undefined {
    return [...this.#underWay].at(-1)
  }

  /** Requests whose response has not ended. */
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

  /** Ends each request under way, because the sidecar ends. */
  shutDown(): void {
    for (const one of [...this.#underWay]) guarded(() => one.shutDown(), this.#lose)()
  }

  /**
   * Calls back when all earlier requests are answered; never when the connection ends before. Only for the last request of a
   * connection: after an upgrade, CONNECT or a fault node reads no other.
   */
  onTurn(turn: () => void): void {
    if (this.#underWay.size <= 1) turn()
    else this.#onFree = turn
  }

  /** Replaces node's listeners on a socket that node has handed over. */
  takeOver(): void {
    this.socket.on('error', this.#onError)
    this.socket.on('drain', this.#onDrain)
    // A socket that nobody reads does not report its end: it is read, and what the client sends early is kept.
    this.socket.on('readable', this.#onReadable)
    this.socket.on('end', this.#onEnd)
  }

  /** Gives the socket to a tunnel. */
  letGo(): void {
    this.socket.off('error', this.#onError)
    this.socket.off('drain', this.#onDrain)
    this.socket.off('readable', this.#onReadable)
    this.socket.off('end', this.#onEnd)
  }

  readonly #onError = () => void this.socket.destroy()

  /** Lets an earlier response go on that waits for its slow client. */
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

  /** Ends the connection after what is written, as node does. */
  readonly #onEnd = () => void this.socket.end()
}

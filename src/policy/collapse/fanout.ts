import type { FaultCode } from '../../errors.ts'
import { callEach } from '../call-each.ts'
import { ReplyBase } from '../reply-base.ts'
import { type BodySink, both, type Reply } from '../exchange.ts'
import type { BodyEnd } from '../../events.ts'
import type { RawHeaders } from '../../net/fields.ts'

/** Bytes that slower readers of an upstream's shared responses may have unread, all together. At this bound the sources wait. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024
/** Bytes that each chunk takes beside its content: many small ones (events of a stream) take more memory than their content. */
const CHUNK_OVERHEAD_BYTES = 256
/** Bytes that may arrive for a client before its reading begins. */
const MAX_UNPIPED_BYTES = 1024 * 1024

/** Unread bytes of an upstream's shared responses, and the sources that wait for room, in order. */
export type Unread = { bytes: number; readonly waiting: Set<() => void> }

export const freshUnread = (): Unread => ({ bytes: 0, waiting: new Set() })

const isFull = ({ bytes }: Unread) => bytes >= MAX_UNREAD_BYTES

function free(unread: Unread, bytes: number): void {
  unread.bytes -= bytes
  for (const goOn of [...unread.waiting]) {
    if (isFull(unread)) return
    unread.waiting.delete(goOn)
    goOn()
  }
}

/** One chunk of the body and the way to the next. The last link of the chain is empty until a chunk arrives. */
type Link = {
  chunk: Buffer | undefined
  next: Link | undefined /** Branches that have not taken it. */
  takers: number
}

const emptyLink = (): Link => ({ chunk: undefined, next: undefined, takers: 0 })

/**
 * Copies one response to several clients, each at its own pace. The source is read as fast as the fastest client reads, as long
 * as there is room for what the others have not read. Then it waits for them: no client is cut because it is slow, and one that
 * does not read at all is cut by its own `timeout.idle`. Chunks are shared, not copied, and freed once the last client has them.
 */
export class Fanout implements BodySink {
  readonly #source: Reply
  readonly #unread: Unread
  readonly #branches = new Set<Branch>()
  readonly #onRoom = () => this.#goOn()
  #last = emptyLink()
  #paused = false

  constructor(source: Reply, unread: Unread) {
    this.#source = source
    this.#unread = unread
  }

  /** Called for each client before `start`. */
  branch(): Reply {
    const branch = new Branch(this.#source, this.#last, {
      taken: (link) => this.#take(link),
      flows: () => this.#goOn(),
      left: (end) => this.#leave(branch, end),
    })
    this.#branches.add(branch)
    return branch
  }

  start(): void {
    this.#source.pipe(this)
  }

  data(chunk: Buffer): boolean {
    const link = this.#last
    this.#last = emptyLink()
    link.chunk = chunk
    link.next = this.#last
    link.takers = this.#branches.size
    this.#unread.bytes += costOf(chunk)
    this.#each((branch) => branch.data(chunk))
    this.#paused = !this.#mayGoOn()
    return !this.#paused
  }

  end(trailers: RawHeaders): void {
    this.#each((branch) => branch.end(trailers))
  }

  fail(code: FaultCode): void {
    this.#each((branch) => branch.fail(code))
  }

  /** Cuts off a reader that throws. The others go on. */
  #each(act: (branch: Branch) => void): void {
    const guarded = [...this.#branches].map((branch) => () => {
      try {
        act(branch)
      } catch (error) {
        branch.discard('internal')
        throw error
      }
    })
    callEach(guarded)
  }

  #take(link: Link): void {
    link.takers -= 1
    if (link.takers === 0 && link.chunk !== undefined) free(this.#unread, costOf(link.chunk))
  }

  /**
   * Whether to read on: all clients want more, so that nothing would wait, or one does and there is room for the others. Without
   * room, waits for it.
   */
  #mayGoOn(): boolean {
    let isWanted = false
    let isWantedByAll = true
    for (const { wantsMore } of this.#branches) {
      isWanted ||= wantsMore
      isWantedByAll &&= wantsMore
    }
    if (!isWanted) return false
    if (isWantedByAll || !isFull(this.#unread)) return true
    this.#unread.waiting.add(this.#onRoom)
    return false
  }

  #goOn(): void {
    if (!this.#paused || !this.#mayGoOn()) return
    this.#unread.waiting.delete(this.#onRoom)
    this.#paused = false
    this.#source.resume()
  }

  #leave(branch: Branch, end: BodyEnd): void {
    if (!this.#branches.delete(branch)) return
    if (this.#branches.size > 0) return this.#goOn()
    this.#unread.waiting.delete(this.#onRoom)
    if (end !== 'complete') this.#source.discard(end)
  }
}

const costOf = (chunk: Buffer) => chunk.length + CHUNK_OVERHEAD_BYTES

type Trunk = {
  readonly taken: (link: Link) => void
  readonly flows: () => void
  readonly left: (end: BodyEnd) => void
}

class Branch extends ReplyBase implements BodySink {
  readonly #trunk: Trunk
  /** First link that was not read. */
  #at: Link
  #sink: BodySink | undefined
  #flows = true
  #hasAll = false
  #trailers: RawHeaders = []
  #onData: ((chunk: Buffer) => void) | undefined
  /** Bytes that arrived before the first reading. */
  #unpiped = 0

  constructor(reply: Reply, at: Link, trunk: Trunk) {
    super()
    this.takeHead(reply)
    this.#at = at
    this.#trunk = trunk
  }

  /** A client that flows has read all that has arrived. */
  get wantsMore(): boolean {
    return this.#sink === undefined ? this.#unpiped <= MAX_UNPIPED_BYTES : this.#flows
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    if (!this.ended) return this.#deliver()
    for (const chunk of this.#arrived()) sink.data(chunk)
    this.#at = emptyLink()
    this.passEnd(sink, this.#trailers)
  }

  resume(): void {
    this.#flows = true
    this.#deliver()
  }

  discard(end: BodyEnd): void {
    this.#leave(end)
  }

  watch(onData: (chunk: Buffer) => void): void {
    for (const chunk of this.#arrived()) onData(chunk)
    this.#onData = both(this.#onData, onData)
  }

  data(chunk: Buffer): boolean {
    if (this.ended) return false
    this.#onData?.(chunk)
    if (this.#sink === undefined) this.#unpiped += chunk.length
    this.#deliver()
    return true
  }

  end(trailers: RawHeaders): void {
    this.#hasAll = true
    this.#trailers = trailers
    // Without a reader the body counts as arrived.
    if (this.#sink === undefined) this.#leave('complete')
    else this.#deliver()
  }

  fail(code: FaultCode): void {
    if (this.ended) return
    this.#leave(code)
    this.#sink?.fail(code)
  }

  #deliver(): void {
    const sink = this.#sink
    if (sink === undefined || this.ended) return
    for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) this.#flows = sink.data(chunk)
    if (this.ended) return
    if (this.#at.chunk === undefined && this.#hasAll) {
      this.#leave('complete')
      return sink.end(this.#trailers)
    }
    if (this.#flows) this.#trunk.flows()
  }

  #next(): Buffer | undefined {
    const link = this.#at
    if (!this.#flows || this.ended || link.next === undefined) return undefined
    this.#at = link.next
    this.#trunk.taken(link)
    return link.chunk
  }

  *#arrived(): Generator<Buffer> {
    for (let link: Link | undefined = this.#at; link?.chunk !== undefined; link = link.next) yield link.chunk
  }

  /** Frees the room of the rest. A body that arrived whole can still be read. */
  #leave(end: BodyEnd): void {
    if (this.ended) return
    this.close(end)
    const unread = this.#at
    if (end !== 'complete') this.#at = emptyLink()
    for (let link: Link | undefined = unread; link?.chunk !== undefined; link = link.next) this.#trunk.taken(link)
    this.#trunk.left(end)
  }
}

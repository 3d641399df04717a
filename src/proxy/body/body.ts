import { guarded } from '../../guard.ts'
import type { UnkeptCause } from '../../events.ts'
import type { BodyFeed, BodyReceiver, RequestBody } from '../../policy/exchange.ts'
import { type BodyLimits, type KeptBytes, type KeptPlace, takeRoom } from './kept-bytes.ts'
import type { Spill } from './spill.ts'

/** A request body as its connection delivers it. */
export type IncomingBody = {
  /** Delivers the body from now on. Called once. */
  read(reader: {
    readonly data: (chunk: Buffer) => void
    readonly end: () => void
    readonly broke: (error: Error) => void
  }): void
  pause(): void
  resume(): void
  /** Reads and drops what is still to come. */
  drop(): void
}

export type BodySource = {
  readonly incoming: IncomingBody
  /** From Content-Length; undefined when the length is unknown. */
  readonly declaredBytes: number | undefined
  /** Whether the request may be sent again after a byte of it was sent. */
  readonly isRepeatable: boolean
  /** Called before the first byte is read, when `100 Continue` is due. */
  readonly onStart: () => void
  /** Called when the body cannot be kept for a retry. `error`: the disk's. */
  readonly onUnkept: (why: UnkeptCause, error: unknown) => void
  /** Called with a defect in reading or writing the body. The body then breaks off. */
  readonly onFault: (error: unknown) => void
}

/** Feeds the body to one attempt. */
class Reader implements BodyFeed {
  /** Bytes of the body that the attempt has received. */
  offset = 0
  /** Whether the attempt asks for more. */
  hungry = true
  /** Index of the next chunk in memory, for a reader that repeats the body. */
  nextKept = 0
  hasStopped = false
  /** Whether a read of the disk is under way for it. Another one would give the same bytes twice. */
  isReading = false
  readonly #receiver: BodyReceiver
  readonly #onHungry: (reader: Reader) => void
  readonly #onStopped: (reader: Reader) => void

  constructor(receiver: BodyReceiver, onHungry: (reader: Reader) => void, onStopped: (reader: Reader) => void) {
    this.#receiver = receiver
    this.#onHungry = onHungry
    this.#onStopped = onStopped
  }

  give(chunk: Buffer): void {
    this.offset += chunk.length
    this.hungry = this.#receiver.data(chunk)
  }

  end(): void {
    if (this.hasStopped) return
    this.stop()
    this.#receiver.end()
  }

  fail(error: Error): void {
    if (this.hasStopped) return
    this.stop()
    this.#receiver.fail(error)
  }

  resume(): void {
    if (this.hungry || this.hasStopped) return
    this.hungry = true
    this.#onHungry(this)
  }

  stop(): void {
    if (this.hasStopped) return
    this.hasStopped = true
    this.#onStopped(this)
  }
}

/**
 * The client's request body. Streams to the first attempt as it arrives and is kept for later ones: in memory up to one limit,
 * then in an unlinked temporary file up to another. Past both limits it streams on and cannot be sent again. It is read from
 * the client no faster than the attempt and the disk take it.
 */
export class KeptBody implements RequestBody {
  readonly #source: BodySource
  readonly #limits: BodyLimits
  readonly #total: KeptBytes
  readonly #openSpill: () => Promise<Spill>
  readonly #memory: Buffer[] = []
  #memoryBytes = 0
  #spill: Spill | undefined
  /** The present write to disk. The source is paused until it is done. */
  #writing: Promise<void> | undefined
  #reader: Reader | undefined
  #started = false
  #kept: boolean
  #opened = false
  /** Bytes of this body that count in `#total`. */
  readonly #taken = { memory: 0, disk: 0 }
  #failure: Error | undefined
  #peeking = false
  #onPeeked = () => {}
  #onProgress = () => {}
  received = 0
  complete = false

  constructor(source: BodySource, limits: BodyLimits, total: KeptBytes, openSpill: () => Promise<Spill>) {
    this.#source = source
    this.#limits = limits
    this.#total = total
    this.#openSpill = openSpill
    this.#kept = (source.declaredBytes ?? 0) <= limits.memory + limits.disk
    if (!this.#kept && source.isRepeatable) source.onUnkept('too_large', undefined)
  }

  get replayable(): boolean {
    return this.#kept || this.received === 0
  }

  get starved(): boolean {
    return this.#reader?.hungry === true && this.#isLive() && !this.complete
  }

  open(receiver: BodyReceiver): BodyFeed {
    if (this.#opened && !this.replayable) throw new Error('a body that was not kept cannot be sent again')
    this.#opened = true
    this.#reader?.stop()
    const reader = new Reader(
      receiver,
      (hungry) => this.#feed(hungry),
      (stopped) => {
        if (this.#reader === stopped) this.#source.incoming.pause()
      },
    )
    this.#reader = reader
    if (!this.#started) this.#start()
    this.#feed(reader)
    return reader
  }

  /**
   * Reads the whole body without consuming it: what is kept is still sent from its first byte. Waits for the end.
   * @returns undefined when the body is larger than the limit, of unknown length, or not kept in memory.
   */
  async peek(limitBytes: number, onProgress = () => {}): Promise<Buffer | undefined> {
    const { declaredBytes, incoming } = this.#source
    const fits = declaredBytes !== undefined && declaredBytes <= Math.min(limitBytes, this.#limits.memory)
    if (!fits || !this.#kept) return undefined
    if (!this.#started) this.#start()
    this.#peeking = true
    this.#onProgress = onProgress
    incoming.resume()
    await new Promise<void>((resolve) => {
      this.#onPeeked = resolve
      if (this.complete || this.#failure !== undefined) resolve()
    })
    this.#peeking = false
    if (!this.#isWanted()) incoming.pause()
    return this.complete && this.#kept ? Buffer.concat(this.#memory) : undefined
  }

  commit(): void {
    this.#kept = false
    this.#forget()
  }

  /** Ends the body with its request: drops what is kept, and reads and drops what the client still sends. */
  dispose(): void {
    this.#reader?.stop()
    this.#reader = undefined
    this.commit()
    this.#source.incoming.drop()
  }

  #start(): void {
    this.#started = true
    this.#source.onStart()
    const { incoming } = this.#source
    incoming.pause()
    incoming.read({
      data: guarded((chunk: Buffer) => this.#take(chunk), this.#lose),
      end: guarded(() => this.#complete(), this.#lose),
      broke: guarded((error: Error) => this.#break(error), this.#lose),
    })
  }

  #complete(): void {
    this.complete = true
    this.#onPeeked()
    if (this.#reader !== undefined) this.#feed(this.#reader)
  }

  /** Guards a callback of a stream: an error ends this body alone. */
  readonly #lose = (error: unknown) => {
    this.#source.onFault(error)
    this.#break(new Error('the body was lost by a defect', { cause: error }))
  }

  #take(chunk: Buffer): void {
    const reader = this.#reader
    const isLive = this.#isLive()
    this.received += chunk.length
    if (reader !== undefined && isLive) reader.give(chunk)
    if (this.#kept || this.#peeking) this.#keep(chunk)
    if (!this.#isWanted() && !this.#peeking) this.#source.incoming.pause()
  }

  #keep(chunk: Buffer): void {
    if (this.#peeking) return this.#keepForPeek(chunk)
    // A request that must not be repeated is never sent again after its first byte.
    if (!this.#source.isRepeatable) return this.commit()
    const onDisk = this.received - this.#memoryBytes
    if (onDisk === chunk.length && this.#memoryBytes + chunk.length <= this.#limits.memory) {
      if (!this.#takeRoom('memory', chunk.length)) return this.#unkeep('total')
      this.#push(chunk)
    } else if (onDisk <= this.#limits.disk) {
      if (!this.#takeRoom('disk', chunk.length)) return this.#unkeep('total')
      this.#writing = this.#write(chunk).catch(this.#lose)
    } else {
      this.#unkeep('too_large')
    }
  }

  /** No attempt has these bytes yet. When the total has no room, the body waits and is read no further. */
  #keepForPeek(chunk: Buffer): void {
    this.#onProgress()
    this.#push(chunk)
    if (this.#kept && this.#takeRoom('memory', chunk.length)) return
    if (this.#kept) this.#source.onUnkept('total', undefined)
    this.#kept = false
    this.#source.incoming.pause()
    this.#onPeeked()
  }

  #push(chunk: Buffer): void {
    this.#memory.push(chunk)
    this.#memoryBytes += chunk.length
  }

  #takeRoom(place: KeptPlace, bytes: number): boolean {
    const isTaken = takeRoom(this.#total, place, bytes)
    if (isTaken) this.#taken[place] += bytes
    return isTaken
  }

  #unkeep(why: UnkeptCause): void {
    this.#source.onUnkept(why, undefined)
    this.commit()
  }

  /** Without disk space the request loses its retries and nothing else: the failure is reported, and the body streams on. */
  async #write(chunk: Buffer): Promise<void> {
    try {
      this.#spill ??= await this.#openSpill()
      await this.#spill.append(chunk)
    } catch (error) {
      if (this.#kept) this.#source.onUnkept('disk', error)
      this.#kept = false
    }
    this.#writing = undefined
    if (!this.#kept) this.#forget()
    if (this.#isWanted()) this.#source.incoming.resume()
  }

  /** Whether the reader has everything that the client has sent. */
  #isLive(): boolean {
    return this.#reader !== undefined && !this.#reader.hasStopped && this.#reader.offset === this.received
  }

  /** Whether to read the client's next chunk: a live reader wants it, and the disk keeps up. */
  #isWanted(): boolean {
    return this.#writing === undefined && this.#reader?.hungry === true && this.#isLive()
  }

  #feed(reader: Reader): void {
    while (reader === this.#reader && reader.hungry && !reader.hasStopped && !reader.isReading) {
      if (reader.offset < this.#memoryBytes) this.#feedFromMemory(reader)
      else if (reader.offset < this.received) return void this.#feedFromDisk(reader)
      else if (this.#failure !== undefined) return reader.fail(this.#failure)
      else if (this.complete) return reader.end()
      else {
        if (this.#isWanted()) this.#source.incoming.resume()
        return
      }
    }
  }

  #feedFromMemory(reader: Reader): void {
    const chunk = this.#memory[reader.nextKept]
    reader.nextKept += 1
    if (chunk !== undefined) reader.give(chunk)
  }

  async #feedFromDisk(reader: Reader): Promise<void> {
    reader.isReading = true
    try {
      await this.#writing
      const offset = reader.offset - this.#memoryBytes
      if (this.#spill === undefined || offset >= this.#spill.bytes) throw new Error('the kept body is gone')
      const chunk = await this.#spill.read(offset)
      reader.isReading = false
      if (reader.hasStopped) return
      reader.give(chunk)
      this.#feed(reader)
    } catch (error) {
      reader.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #break(error: Error): void {
    this.#failure ??= error
    this.#onPeeked()
    this.#reader?.fail(this.#failure)
  }

  /** Drops what is kept, unless a reader still needs it or a disk write is under way; the end of either calls this again. */
  #forget(): void {
    if (this.#writing !== undefined || (this.#reader !== undefined && !this.#reader.hasStopped && !this.#isLive()))
      return
    this.#memory.length = 0
    for (const place of ['memory', 'disk'] as const) {
      this.#total[place] -= this.#taken[place]
      this.#taken[place] = 0
    }
    const spill = this.#spill
    this.#spill = undefined
    spill?.close().catch((error: unknown) => this.#source.onUnkept('disk', error))
  }
}

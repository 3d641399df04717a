import type { Clock, Timer } from '../../clock.ts'
import type { FaultCode } from '../../errors.ts'
import { callEach } from '../call-each.ts'
import { ReplyBase } from '../reply-base.ts'
import { type BodySink, both, type Reply } from '../exchange.ts'
import type { BodyEnd } from '../../events.ts'
import type { RawHeaders } from '../../net/fields.ts'

/** Bytes that a reader may lag behind the fastest one before all wait for it. */
const MAX_BEHIND = 1024 * 1024
/** Time that the others wait for a slow reader, in ms. Then its connection is cut. */
const PATIENCE_MS = 1_000

/**
 * Copies one response to several clients, each at its own pace. A client that lags too far behind holds the others up for a
 * bounded time and is then cut off. Waiting chunks are shared, not copied.
 */
export class Fanout implements BodySink {
  readonly #source: Reply
  readonly #clock: Clock
  readonly #branches = new Set<Branch>()
  #timer: Timer | undefined
  #paused = false

  constructor(source: Reply, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  /** Called for each client before `start`. */
  branch(): Reply {
    const branch = new Branch(this.#source, {
      caughtUp: () => this.#goOn(),
      left: (end) => this.#leave(branch, end),
    })
    this.#branches.add(branch)
    return branch
  }

  start(): void {
    this.#source.pipe(this)
  }

  data(chunk: Buffer): boolean {
    this.#each((branch) => branch.data(chunk))
    this.#paused = this.#isHeldUp()
    if (this.#paused) this.#timer ??= this.#clock.after(PATIENCE_MS, () => this.#cut())
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

  #isHeldUp(): boolean {
    for (const { behind } of this.#branches) if (behind > MAX_BEHIND) return true
    return false
  }

  #goOn(): void {
    if (!this.#paused || this.#isHeldUp()) return
    this.#paused = false
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    this.#source.resume()
  }

  #cut(): void {
    this.#timer = undefined
    for (const branch of [...this.#branches]) if (branch.behind > MAX_BEHIND) branch.fail('client_stalled')
  }

  #leave(branch: Branch, end: BodyEnd): void {
    if (!this.#branches.delete(branch)) return
    if (this.#branches.size > 0) return this.#goOn()
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    if (end !== 'complete') this.#source.discard(end)
  }
}

type Trunk = { readonly caughtUp: () => void; readonly left: (end: BodyEnd) => void }

class Branch extends ReplyBase implements BodySink {
  readonly #trunk: Trunk
  readonly #waiting: Buffer[] = []
  #sink: BodySink | undefined
  #flows = true
  #hasAll = false
  #trailers: RawHeaders = []
  #onData: ((chunk: Buffer) => void) | undefined
  /** Bytes that have arrived and were not read yet. */
  behind = 0

  constructor(reply: Reply, trunk: Trunk) {
    super()
    this.takeHead(reply)
    this.#trunk = trunk
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    if (!this.ended) return this.#deliver()
    for (const chunk of this.#waiting.splice(0)) sink.data(chunk)
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
    for (const chunk of this.#waiting) onData(chunk)
    this.#onData = both(this.#onData, onData)
  }

  data(chunk: Buffer): boolean {
    this.#onData?.(chunk)
    this.#waiting.push(chunk)
    this.behind += chunk.length
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
    if (this.#waiting.length === 0 && this.#hasAll) {
      this.#leave('complete')
      return sink.end(this.#trailers)
    }
    this.#trunk.caughtUp()
  }

  #next(): Buffer | undefined {
    const chunk = this.#flows ? this.#waiting.shift() : undefined
    this.behind -= chunk?.length ?? 0
    return chunk
  }

  #leave(end: BodyEnd): void {
    if (this.ended) return
    if (end !== 'complete') this.#waiting.length = 0
    this.behind = 0
    this.close(end)
    this.#trunk.left(end)
  }
}

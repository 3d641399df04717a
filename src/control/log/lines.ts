/** The part of stdout that is used: failures come to the write's callback, and as an event. */
type Out = {
  write(text: string, written: (error?: WriteError | null) => void): unknown
  on(event: 'error', listener: () => void): unknown
}

type WriteError = Error & { readonly code?: string }

/** About two seconds of access lines at 10,000 requests per second, in UTF-16 code units. */
const MAX_HELD_CHARS = 8 * 2 ** 20

/**
 * Writes lines to a stream in order and whole; lines of one turn of the event loop, or that come during a write, go together.
 * Never waits for the reader, since traffic must not stop because a log reader does: lines over the limit are lost and counted.
 * Never throws: after EPIPE nothing more is written, after other failures (ENOSPC) the next line is tried. pino's own
 * destinations block, or hold a thread of libuv's pool and then the exit for as long as the reader stalls, and cost more per
 * line.
 */
export class LineWriter {
  readonly #out: Out
  readonly #tellLost: (lines: number) => void
  #held = ''
  #heldLines = 0
  #lostLines = 0
  #writesUnderWay = 0
  /** Whether held lines go out after this turn of the event loop. */
  #atTurnsEnd = false
  #readerGone = false

  /** @param tellLost called with the number of lost lines once writing works again; may write. */
  constructor(out: Out, tellLost: (lines: number) => void) {
    this.#out = out
    this.#tellLost = tellLost
    out.on('error', () => {}) // with no listener the event would end the process
  }

  /** @param line with its line feed. */
  write(line: string): void {
    if (this.#readerGone) return
    if (this.#held.length + line.length > MAX_HELD_CHARS) {
      this.#lostLines += 1
      return
    }
    this.#held += line
    this.#heldLines += 1
    if (this.#atTurnsEnd) return
    this.#atTurnsEnd = true
    setImmediate(() => {
      this.#atTurnsEnd = false
      if (this.#writesUnderWay === 0) this.flush()
    })
  }

  /** Writes what is held now, even during another write. */
  flush(): void {
    if (this.#heldLines === 0) return
    const lines = this.#heldLines
    this.#writesUnderWay += 1
    this.#out.write(this.#held, (error) => this.#written(lines, error))
    this.#held = ''
    this.#heldLines = 0
  }

  #written(lines: number, error: WriteError | null | undefined): void {
    this.#writesUnderWay -= 1
    if (error) {
      this.#lostLines += lines
      this.#readerGone = error.code === 'EPIPE'
    }
    if (this.#writesUnderWay > 0) return
    this.flush()
    if (!error && this.#lostLines > 0) {
      const lost = this.#lostLines
      this.#lostLines = 0
      this.#tellLost(lost)
    }
  }
}

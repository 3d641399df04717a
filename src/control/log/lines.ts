/** What a stdout is here: failures come to the write's callback, and as an event too. */
type Out = {
  write(text: string, written: (error?: WriteError | null) => void): unknown
  on(event: 'error', listener: () => void): unknown
}

type WriteError = Error & { readonly code?: string }

/** Some two seconds of access lines at 10,000 requests a second; in UTF-16 code units. */
const MAX_HELD_CHARS = 8 * 2 ** 20

/**
 * Hands lines to a stream in order and whole, all at once that come in one turn of the event loop or while a write is
 * under way. It never waits for whoever reads them, since traffic must not stand still because a log reader does: lines
 * over the limit are lost and counted. Nor does it throw: a reader that went away (EPIPE) is sent no more; after other
 * failures (ENOSPC) the next line is tried. pino's own destinations either block, or hold a thread of libuv's pool, and
 * then the exit, for as long as the reader stalls; and they cost more a line.
 */
export class LineWriter {
  readonly #out: Out
  readonly #tellLost: (lines: number) => void
  #held = ''
  #heldLines = 0
  #lostLines = 0
  #writesUnderWay = 0
  /** Whether what is held goes out when the event loop has made its turn. */
  #atTurnsEnd = false
  #readerGone = false

  /** @param tellLost called with the number of lines lost, once writing works again; may write. */
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

  /** Hands over what is held now, whether or not a write is under way. */
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

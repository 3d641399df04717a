/** What a log tells of the sidecar that wrote it, besides its requests. */

import { type Fields, number, text } from './log-fields.ts'

const MARKS = [
  '"msg":"configuration in force"',
  '"msg":"configuration reloaded"',
  '"msg":"loop stalled"',
  '"msg":"breaker mode set"',
  '"msg":"log lines lost"',
] as const

export class Provenance {
  /** Versions of the configurations in force, in order and each once; none where the log does not tell. */
  readonly versions: string[] = []
  starts = 0
  /** Pauses of the process: their number, and their time in all in ms. */
  readonly stalls = { count: 0, ms: 0 }
  /** Modes that an operator gave a breaker. */
  forced = 0
  lostLines = 0

  /** Whether a line is one that `add` reads. */
  reads(line: string): boolean {
    return MARKS.some((mark) => line.includes(mark))
  }

  add(fields: Fields): void {
    switch (fields.msg) {
      case 'configuration in force':
      case 'configuration reloaded':
        return this.#inForce(fields)
      case 'loop stalled': {
        const times = number(fields.repeats) || 1
        this.stalls.count += times
        this.stalls.ms += number(fields.ms) * times
        return
      }
      case 'breaker mode set':
        this.forced += 1
        return
      case 'log lines lost':
        this.lostLines += number(fields.lines)
    }
  }

  #inForce(fields: Fields): void {
    if (fields.msg === 'configuration in force') this.starts += 1
    const version = text(fields.version)
    if (version !== '' && !this.versions.includes(version)) this.versions.push(version)
  }
}

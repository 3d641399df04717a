import type { Command } from '../machine/processes.ts'

/** Where a contestant is to run. All ports are of 127.0.0.1. */
export type Place = {
  /** To listen on. */
  readonly port: number
  /** To forward to. */
  readonly originPort: number
  /** For its configuration; shared with the others. */
  readonly folder: string
}

export type Contestant = {
  /** For the command line. */
  readonly letter: string
  /** For the report. */
  readonly name: string
  /** Why it cannot take part on this machine; undefined when it can. */
  readonly absence: string | undefined
  /** Writes what it needs. @returns what starts it. */
  prepare(place: Place): Command | Promise<Command>
}

import type { Command } from '../machine/processes.ts'

/** The ports and folder that a contestant is started with. All ports are of 127.0.0.1. */
export type Place = {
  /** Port to listen on. */
  readonly port: number
  /** Port of the origin to forward to. */
  readonly originPort: number
  /** Folder for its configuration; shared with the other contestants. */
  readonly folder: string
}

export type Contestant = {
  /** Name in the option `--only`. */
  readonly letter: string
  /** Name in the report. */
  readonly name: string
  /** Why it cannot run on this machine; undefined when it can. */
  readonly absence: string | undefined
  /** Writes its configuration. @returns the command that starts it. */
  prepare(place: Place): Command | Promise<Command>
}

import type { Contestant } from './contestants/contestant.ts'
import type { Fire } from './load/volley.ts'
import type { Cores } from './machine/cores.ts'
import type { Processes } from './machine/processes.ts'
import type { Options } from './options.ts'
import type { Section } from './report.ts'

/** The run that every scenario gets: its options, processes, origin and contestants. */
export type Bench = {
  readonly options: Options
  readonly processes: Processes
  readonly cores: Cores
  /** Folder for files of this run; removed at its end. */
  readonly folder: string
  readonly originPort: number
  readonly fire: Fire
  /** The selected contestants that are installed on this machine. */
  readonly contestants: readonly Contestant[]
  /** Writes a line of progress to stderr. */
  say(text: string): void
  /** Notes in the report that a contestant could not be measured. */
  skip(name: string, reason: string): void
}

export type Scenario = (bench: Bench) => Promise<Section>

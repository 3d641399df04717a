import type { Contestant } from './contestants/contestant.ts'
import type { Fire } from './load/volley.ts'
import type { Cores } from './machine/cores.ts'
import type { Processes } from './machine/processes.ts'
import type { Options } from './options.ts'
import type { Section } from './report.ts'

/** What every scenario works with. */
export type Bench = {
  readonly options: Options
  readonly processes: Processes
  readonly cores: Cores
  /** For files of this run; removed at its end. */
  readonly folder: string
  readonly originPort: number
  readonly fire: Fire
  /** Those that were asked for and are on this machine. */
  readonly contestants: readonly Contestant[]
  /** Tells who waits what goes on. */
  say(text: string): void
  /** Notes for the report that someone could not be measured. */
  skip(name: string, reason: string): void
}

export type Scenario = (bench: Bench) => Promise<Section>

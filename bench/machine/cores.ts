import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Command } from './processes.ts'
import { findTool } from './tools.ts'

export type Cores = {
  /** For the report. */
  readonly description: string
  /** The command, bound to the core that contestants have for themselves. */
  pinned(command: Command): Command
  /**
   * Moves this process, and with it what it starts from now on, to the contestants' core: what was started before has the others for
   * itself.
   * @returns how it is now, for the report.
   */
  crowd(): string
}

const UNPINNED = 'nothing pinned: needs taskset and two cores'

/**
 * Gives the first core to the contestant that is being measured, and the others to this process and what it starts
 * unpinned: load and origin. Pins nothing where there is no taskset or only one core.
 */
export function divideCores(): Cores {
  const taskset = findTool('taskset')
  const [first, ...others] = allowedCores()
  if (taskset === undefined || first === undefined || others.length === 0)
    return { description: UNPINNED, pinned: (command) => command, crowd: () => UNPINNED }
  const moveTo = (cores: readonly number[]) =>
    execFileSync(taskset, ['-a', '-c', '-p', cores.join(','), String(process.pid)], { stdio: 'ignore' })
  moveTo(others)
  return {
    description: `proxy on core ${first}, load and origin on ${others.join(',')}`,
    pinned: ({ file, args }) => ({ file: taskset, args: ['-c', String(first), file, ...args] }),
    crowd: () => {
      moveTo([first])
      return `proxy, load and origin on core ${first}`
    },
  }
}

/** The cores that this process may run on: `0-1,4` is 0, 1 and 4. */
function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

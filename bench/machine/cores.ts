import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Command } from './processes.ts'
import { findTool } from './tools.ts'

export type Cores = {
  /** The division of cores, for the report. */
  readonly description: string
  /** The command, pinned to the contestants' core. */
  pinned(command: Command): Command
  /**
   * Moves this process and the processes that it starts later to the contestants' core. Processes that were started
   * earlier keep the other cores to themselves.
   * @returns the new division of cores, for the report.
   */
  crowd(): string
}

const UNPINNED = 'nothing pinned: needs taskset and two cores'

/**
 * Gives the first core to the measured contestant, and the others to this process and to the processes that it starts
 * unpinned (load and origin). Pins nothing without taskset, or with one core only.
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

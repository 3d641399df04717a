import { readdirSync, readFileSync } from 'node:fs'

export type Usage = {
  /** User and system CPU time since the process started, in ms; a multiple of 10. */
  readonly cpuMs: number
  readonly residentBytes: number
  /** Peak resident memory. */
  readonly peakResidentBytes: number
}

/** Linux reports times to user space in hundredths of a second, on every architecture. */
const MS_PER_TICK = 10

/** CPU time and memory of a process and its descendants. Peaks are added, though they may lie at different times. */
export function usageOf(pid: number): Usage {
  const usages = treeOf(pid).map(usageOfOne)
  const sum = (key: keyof Usage) => usages.reduce((total, usage) => total + usage[key], 0)
  return {
    cpuMs: sum('cpuMs'),
    residentBytes: sum('residentBytes'),
    peakResidentBytes: sum('peakResidentBytes'),
  }
}

/** @returns the pids of a process and its descendants that still run. */
export function treeOf(root: number): number[] {
  const all = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .map((pid) => ({ pid, parent: Number(statFields(pid)[1]) }))
  const withChildren = (pid: number): number[] => [
    pid,
    ...all.filter(({ parent }) => parent === pid).flatMap((child) => withChildren(child.pid)),
  ]
  return withChildren(root).filter((pid) => all.some((one) => one.pid === pid))
}

/** Fields of /proc/PID/stat from the third (state) on: the second may contain spaces and brackets. See proc_pid_stat(5). */
function statFields(pid: number): string[] {
  const text = readIfThere(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function usageOfOne(pid: number): Usage {
  const fields = statFields(pid)
  const status = readIfThere(`/proc/${pid}/status`)
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024
  return {
    cpuMs: (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * MS_PER_TICK,
    residentBytes: bytes('VmRSS'),
    peakResidentBytes: bytes('VmHWM'),
  }
}

/** @returns '' when the process has ended. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return ''
    throw error
  }
}

import type { Clock } from '../clock.ts'

/** Interval in ms at which the parent process is checked. */
const LOOK_MS = 250

/**
 * Resolves when the npx that started this process has ended; never for a process that npx did not start. npx runs a command in
 * a shell and signals that shell alone, which passes nothing on: otherwise the command would outlive both.
 */
export function npxEnd(env: Readonly<Record<string, string | undefined>>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (env.npm_lifecycle_event !== 'npx') return
    const parent = process.ppid
    const look = () => {
      if (process.ppid !== parent) resolve()
      else clock.after(LOOK_MS, look)
    }
    look()
  })
}

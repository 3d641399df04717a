import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { treeOf } from './usage.ts'

export type Command = { readonly file: string; readonly args: readonly string[] }

export type Running = {
  readonly pid: number
  /** Why the process ended: its exit code and the end of its stderr; undefined while it runs. */
  failure(): string | undefined
  stop(): Promise<void>
}

export type Processes = {
  /** Starts a server. */
  start(command: Command): Running
  /** Runs a tool to its end. @returns its stdout. @throws Error with the end of its stderr when it fails. */
  run(command: Command): Promise<string>
  /** Kills every process that still runs. Call it whenever the bench exits. */
  killAll(): void
}

/** Characters of a process's stderr that are kept, from its end. */
const MAX_STDERR_CHARS = 2_000

/** A folder and the processes of a bench. Both go when the bench exits, also by a signal. */
export function createWorkplace(): { readonly folder: string; readonly processes: Processes } {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
  const processes = createProcesses()
  process.on('exit', () => {
    processes.killAll()
    rmSync(folder, { recursive: true, force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))
  return { folder, processes }
}

/** Keeps the processes of one bench run, so that none outlives it. */
export function createProcesses(): Processes {
  const alive = new Set<ChildProcess>()

  const launch = ({ file, args }: Command, stdout: 'ignore' | 'pipe') => {
    const child = spawn(file, args, { stdio: ['ignore', stdout, 'pipe'] })
    const outcome = { stderr: '', failure: undefined as string | undefined }
    alive.add(child)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      outcome.stderr = (outcome.stderr + text).slice(-MAX_STDERR_CHARS)
    })
    child.on('error', (error) => {
      outcome.failure = error.message
      alive.delete(child)
    })
    child.on('close', (code, signal) => {
      outcome.failure ??= `ended with ${code ?? signal}: ${outcome.stderr.trim()}`
      alive.delete(child)
    })
    return { child, outcome }
  }

  return {
    start: (command) => {
      const { child, outcome } = launch(command, 'ignore')
      return {
        pid: child.pid ?? -1,
        failure: () => outcome.failure,
        stop: async () => {
          if (!alive.has(child)) return
          const closed = once(child, 'close')
          kill(child)
          await closed
        },
      }
    },
    run: async (command) => {
      const { child, outcome } = launch(command, 'pipe')
      let output = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      const [code] = await once(child, 'close')
      if (code === 0) return output
      throw new Error(`${command.file} ${outcome.failure}`)
    },
    killAll: () => alive.forEach(kill),
  }
}

/** Kills a process and its descendants, which would outlive it. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return
  const descendants = treeOf(child.pid).filter((pid) => pid !== child.pid)
  child.kill('SIGKILL')
  for (const pid of descendants) killIfThere(pid)
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { treeOf } from './usage.ts'

export type Command = { readonly file: string; readonly args: readonly string[] }

export type Running = {
  readonly pid: number
  /** Why it is not running any more: its exit code and the end of what it said; undefined while it runs. */
  failure(): string | undefined
  stop(): Promise<void>
}

export type Processes = {
  /** Starts a server. */
  start(command: Command): Running
  /** Runs a tool to its end. @returns its stdout. @throws Error with the end of its stderr when it fails. */
  run(command: Command): Promise<string>
  /** Ends everything that still runs, at once; to be called when the bench exits, however it does. */
  killAll(): void
}

/** How much of a process's complaints is kept, in characters. */
const TAIL = 2_000

/** The processes of one bench run: none outlives it. */
export function createProcesses(): Processes {
  const alive = new Set<ChildProcess>()

  const launch = ({ file, args }: Command, stdout: 'ignore' | 'pipe') => {
    const child = spawn(file, args, { stdio: ['ignore', stdout, 'pipe'] })
    const said = { tail: '', ended: undefined as string | undefined }
    alive.add(child)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said.tail = (said.tail + text).slice(-TAIL)
    })
    child.on('error', (error) => {
      said.ended = error.message
      alive.delete(child)
    })
    child.on('close', (code, signal) => {
      said.ended ??= `ended with ${code ?? signal}: ${said.tail.trim()}`
      alive.delete(child)
    })
    return { child, said }
  }

  return {
    start: (command) => {
      const { child, said } = launch(command, 'ignore')
      return {
        pid: child.pid ?? -1,
        failure: () => said.ended,
        stop: async () => {
          if (!alive.has(child)) return
          const closed = once(child, 'close')
          kill(child)
          await closed
        },
      }
    },
    run: async (command) => {
      const { child, said } = launch(command, 'pipe')
      let output = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
      const [code] = await once(child, 'close')
      if (code === 0) return output
      throw new Error(`${command.file} ${said.ended}`)
    },
    killAll: () => alive.forEach(kill),
  }
}

/** Its descendants too: they would go on without it. */
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

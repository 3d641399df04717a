import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './folder.ts'
import type { Scope } from './scripted-upstream.ts'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'bin/breakwater.js')

/**
 * Starts the command `breakwater` as a user does, and collects its output.
 * @param through a command that runs its last arguments as a command, such as `sh -c 'exec "$@"' sh`.
 */
export function breakwater(
  t: Scope,
  args: readonly string[],
  env: Record<string, string> = {},
  through: readonly string[] = [],
) {
  return started(t, [...through, process.execPath, BIN, ...args], env)
}

/** Starts a command in the project's folder and collects its output. It and its children are killed after the test. */
export function started(t: Scope, [program = '', ...words]: readonly string[], env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(program, words, { cwd: ROOT, env: { ...process.env, ...env }, detached: true })
  t.onTestFinished(() => endGroup(child))
  let stdout = ''
  let stderr = ''
  const watchers: (() => void)[] = []
  child.stdout?.on('data', (text) => {
    stdout += text
    for (const watch of watchers.splice(0)) watch()
  })
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  let hasEnded = false
  const ended = once(child, 'close').then(([code, signal]) => {
    hasEnded = true
    for (const watch of watchers.splice(0)) watch()
    return { code, signal, stdout, stderr }
  })
  return {
    child,
    ended,
    /** Resolves with the match once stdout has it. */
    until: async (pattern: RegExp) => {
      for (;;) {
        const match = pattern.exec(stdout)
        if (match !== null) return match
        if (hasEnded) throw new Error(`it ended without ${pattern}:\n${stderr}`)
        await new Promise<void>((resolve) => watchers.push(resolve))
      }
    },
  }
}

/** Kills the process group that the child leads: members of the group may outlive the child. */
function endGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Writes a configuration file into a new folder, which is deleted after the test. */
export function configFile(t: Scope, text: string): string {
  const file = join(temporaryFolder(t), 'proxy.yaml')
  writeFileSync(file, text)
  return file
}

/** Waits until the listener of that name is open. @returns its URL. */
export async function listensAt(command: ReturnType<typeof breakwater>, name: string): Promise<string> {
  const [, address] = await command.until(new RegExp(`"name":"${name}","address":"([^"]+)"`))
  return `http://${address}`
}

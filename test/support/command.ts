import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './folder.ts'
import type { Scope } from './scripted-upstream.ts'

const ROOT = join(import.meta.dirname, '../..')
const BIN = join(ROOT, 'bin/breakwater.js')

/**
 * The command as a user starts it, its output gathered.
 * @param through a command that runs its arguments as one.
 */
export function breakwater(
  t: Scope,
  args: readonly string[],
  env: Record<string, string> = {},
  through: readonly string[] = [],
) {
  return started(t, [...through, process.execPath, BIN, ...args], env)
}

/** A command in the project's folder, its output gathered. Ends with the test, and whatever it has started ends with it. */
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

/** A child that was started as the leader of its own group; its members may outlive it. */
function endGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** A configuration file in a folder of its own, gone after the test. */
export function configFile(t: Scope, text: string): string {
  const file = join(temporaryFolder(t), 'proxy.yaml')
  writeFileSync(file, text)
  return file
}

/** Where the listener of that name listens, once it does. */
export async function listensAt(command: ReturnType<typeof breakwater>, name: string): Promise<string> {
  const [, address] = await command.until(new RegExp(`"name":"${name}","address":"([^"]+)"`))
  return `http://${address}`
}

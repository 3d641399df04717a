/** Runs the sidecar as a separate process, to see its exit, its memory and its open files. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BIN = join(import.meta.dirname, '../../bin/breakwater.js')
const KEPT_LINES = 200
const KEPT_FAULTS = 5

export type RunningSidecar = {
  readonly pid: number
  /** Port of the shared listener. */
  readonly port: number
  readonly controlPort: number
  /** How the process ended, with its last output; undefined while it runs. */
  readonly ending: () => string | undefined
  /** The newest log lines with an internal fault of the sidecar. */
  readonly faults: () => readonly string[]
  /** Targets of the open file descriptors. */
  readonly openFiles: () => string[]
  /** Resident memory in MiB: the most so far. */
  readonly peakMemory: () => number
  /** Resident memory in MiB now. */
  readonly memory: () => number
  readonly temporaryFolder: string
  readonly stop: () => Promise<void>
  readonly kill: () => Promise<void>
}

/** @throws Error with the output of the process when it exits before it listens. */
export async function runSidecar(config: object): Promise<RunningSidecar> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-fuzz-'))
  const file = join(folder, 'proxy.yaml')
  writeFileSync(file, JSON.stringify(config))
  const child = spawn(process.execPath, [BIN, 'run', '--config', file], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  const lines: string[] = []
  const faults: string[] = []
  let ending: string | undefined
  const listening = Promise.withResolvers<void>()
  const ports = new Map<string, number>()
  let rest = ''
  child.stdout.on('data', (text: Buffer) => {
    const [last = '', ...whole] = `${rest}${text}`.split('\n').reverse()
    rest = last
    for (const line of whole.reverse()) {
      const [, name, port] = /"name":"([^"]+)","address":"[^"]*:(\d+)","msg":"listening"/.exec(line) ?? []
      if (name !== undefined) ports.set(name, Number(port))
      if (name === 'control.listen') listening.resolve()
      lines.push(line)
      if (line.includes('"msg":"fault')) faults.push(line)
      if (faults.length > KEPT_FAULTS) faults.shift()
      if (lines.length > KEPT_LINES) lines.shift()
    }
  })
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(0, 4_000)
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ending = `it ended with ${code ?? signal}: ${said}\n${lines.slice(-3).join('\n')}`
      resolve()
    })
  })
  await Promise.race([listening.promise, exited])
  const { pid } = child
  if (ending !== undefined || pid === undefined) throw new Error(`the sidecar did not start: ${ending}`)
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    pid,
    port: ports.get('listen') ?? 0,
    controlPort: ports.get('control.listen') ?? 0,
    ending: () => ending,
    faults: () => faults,
    openFiles: () => openFilesOf(pid),
    peakMemory: () => memoryOf(pid, 'VmHWM'),
    memory: () => memoryOf(pid, 'VmRSS'),
    temporaryFolder: folder,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

function memoryOf(pid: number, name: string): number {
  const [, kib] = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kib) / 1024)
}

/** Leaves out a file that closes during the look. */
function openFilesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    }
  })
}

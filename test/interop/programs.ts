import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { PYTHON } from '../support/python.ts'

const isThere = (program: string, ...args: readonly string[]) => spawnSync(program, args).status === 0

export const hasCurl = isThere('curl', '--version')
export const hasH2load = isThere('h2load', '--version')
export const hasNginx = isThere('nginx', '-v')
export const hasPython = (module: string): boolean => isThere(PYTHON, '-c', `import ${module}`)

const execute = promisify(execFile)

/** Runs a program to its end. Rejects when it fails, or takes longer than 15 s. */
export const run = (program: string, args: readonly string[]) =>
  execute(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 15_000, env: { PATH: process.env.PATH } })

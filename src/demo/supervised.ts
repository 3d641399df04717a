/** Keeps a scripted service running: starts its process, restarts it after its own restart, and ends it by its pid. */

import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceOptions } from './job-service.ts'

export type Supervised = {
  readonly url: string
  /** Calls that reached it, and those that came while it was struggling. */
  readonly counts: () => { readonly calls: number; readonly struggling: number; readonly restarts: number }
  readonly stop: () => Promise<void>
}

export async function supervise(options: ServiceOptions): Promise<Supervised> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-demo-'))
  const stateFile = join(folder, 'jobs.json')
  writeFileSync(stateFile, '')
  let calls = 0
  let struggling = 0
  let restarts = 0
  let stopping = false
  let child: ChildProcess
  const start = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      child = fork(join(import.meta.dirname, 'service-process.ts'), [JSON.stringify({ ...options, port }), stateFile])
      child.on('message', (news: { port?: number; isStruggling?: boolean }) => {
        if (news.port !== undefined) return resolve(news.port)
        calls += 1
        if (news.isStruggling) struggling += 1
      })
      child.once('exit', (code) => {
        if (stopping) return
        reject(new Error(`the ${options.kind} service ended with ${code}`))
        restarts += 1
        void start(port === 0 ? bound : port)
      })
    })
  const bound = await start(options.port)
  const stop = () =>
    new Promise<void>((resolve) => {
      stopping = true
      const end = () => {
        rmSync(folder, { recursive: true, force: true })
        resolve()
      }
      if (child.exitCode !== null || child.signalCode !== null) return end()
      child.once('exit', end)
      child.kill('SIGKILL')
    })
  return { url: `http://127.0.0.1:${bound}`, counts: () => ({ calls, struggling, restarts }), stop }
}

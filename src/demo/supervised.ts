/** Keeps a scripted service running: starts its process, restarts it after its own restart, and ends it by its pid. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { ServiceOptions } from './job-service.ts'

export type Supervised = {
  readonly url: string
  /** Calls that reached it, and those that came while it was struggling. */
  readonly counts: () => { readonly calls: number; readonly struggling: number; readonly restarts: number }
  readonly stop: () => Promise<void>
}

type News = { readonly port?: number; readonly isStruggling?: boolean }

/**
 * @param restartMs time for which the service is down when it restarts. The next process is started ahead: how long this machine
 * takes for that is no part of it.
 */
export async function supervise(options: ServiceOptions, restartMs: number): Promise<Supervised> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-demo-'))
  const stateFile = join(folder, 'jobs.json')
  writeFileSync(stateFile, '')
  let calls = 0
  let struggling = 0
  let restarts = 0
  let isStopping = false
  const spawned = () => fork(join(import.meta.dirname, 'service-process.ts'), [JSON.stringify(options), stateFile])
  let current = spawned()
  let next = spawned()
  const begin = (child: ChildProcess, port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      child.on('message', (news: News) => {
        if (news.port !== undefined) return resolve(news.port)
        calls += 1
        if (news.isStruggling) struggling += 1
      })
      child.once('exit', (code) => {
        if (isStopping) return
        reject(new Error(`the ${options.kind} service ended with ${code}`))
        restarts += 1
        systemClock.after(restartMs, restart)
      })
      child.send({ port })
    })
  const restart = () => {
    if (isStopping) return
    current = next
    next = spawned()
    void begin(current, bound)
  }
  const bound = await begin(current, options.port)
  const stop = async () => {
    isStopping = true
    await Promise.all([ended(current), ended(next)])
    rmSync(folder, { recursive: true, force: true })
  }
  return { url: `http://127.0.0.1:${bound}`, counts: () => ({ calls, struggling, restarts }), stop }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

/** The sidecar whose page is measured: three upstreams, 1,000 requests a second, 500 jobs whose checkpoints are saved. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Pace, pace } from '../load/pace.ts'
import { firstAnswer } from '../machine/answers.ts'
import type { Cores } from '../machine/cores.ts'
import { freePort } from '../machine/ports.ts'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { usageOf } from '../machine/usage.ts'
import { startOrigin } from '../origin/origin.ts'
import { median } from '../statistics.ts'

const UPSTREAMS = ['search', 'downloader', 'transcriber']
const PER_SECOND = 1_000
export const JOBS = 500
/** Checkpoint saves per second. */
const SAVES = 20

/** `cpuUs` is the sidecar's CPU time per request; `p50Ms` and `p99Ms` are latency added to a direct request. */
export type Round = { readonly cpuUs: number; readonly p50Ms: number; readonly p99Ms: number; readonly failed: number }

export type Watched = {
  /** URL of the page. */
  readonly url: string
  /** Runs the load for `seconds`. */
  round(seconds: number): Promise<Round>
  /** Stops the sidecar only: an idle origin costs nothing. */
  stop(): Promise<void>
}

/** @param folder an empty folder for its files. */
export async function startWatched(processes: Processes, cores: Cores, folder: string): Promise<Watched> {
  const origin = await startOrigin(processes, folder)
  const [port, controlPort] = [await freePort(), await freePort()]
  const control = `http://127.0.0.1:${controlPort}`
  const file = join(folder, 'proxy.yaml')
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}
control: { listen: '127.0.0.1:${controlPort}' }
checkpoints: { store: 'memory:' }
log: { access: false }
timeouts: { total: { base: 1h, min: 1s, max: 1h } }
upstreams:
${UPSTREAMS.map((name) => `  ${name}: { url: 'http://127.0.0.1:${origin.port}' }\n`).join('')}`,
  )
  const { file: node, args } = nodeScript(import.meta.resolve('../../bin/breakwater.js'), 'run', '--config', file)
  const sidecar = processes.start(cores.pinned({ file: node, args: ['--max-semi-space-size=4', ...args] }))
  await firstAnswer(controlPort, '/readyz', 200, sidecar)
  const saved = new Map<number, number>()
  for (let i = 0; i < JOBS; i += 1) {
    await call('PUT', `jobs/job-${i}`, {})
    await save(i)
  }
  return {
    url: `${control}/`,
    round,
    stop: () => sidecar.stop(),
  }

  async function round(seconds: number): Promise<Round> {
    const before = usageOf(sidecar.pid).cpuMs
    let isOver = false
    const saving = (async () => {
      for (let i = 0; !isOver; i += 1) {
        await save(i % JOBS)
        await new Promise((resolve) => setTimeout(resolve, 1000 / SAVES))
      }
    })()
    const rate = Math.round(PER_SECOND / UPSTREAMS.length)
    const direct = `http://127.0.0.1:${origin.port}/json`
    const paces: Pace[] = await Promise.all(
      UPSTREAMS.map((name) =>
        pace(processes, { direct, proxied: `http://127.0.0.1:${port}/${name}/json` }, rate, seconds),
      ),
    )
    isOver = true
    await saving
    const cpuMs = usageOf(sidecar.pid).cpuMs - before
    const more = (what: 'p50Ms' | 'p99Ms') => median(paces.map(({ direct: own, proxied }) => proxied[what] - own[what]))
    const failed = paces.reduce((sum, { proxied }) => sum + proxied.failed, 0)
    return {
      cpuUs: (cpuMs * 1000) / (rate * UPSTREAMS.length * seconds),
      p50Ms: more('p50Ms'),
      p99Ms: more('p99Ms'),
      failed,
    }
  }

  async function save(i: number): Promise<void> {
    const item = `item-${saved.get(i) ?? 0}`
    saved.set(i, (saved.get(i) ?? 0) + 1)
    await call('POST', `checkpoints/job-${i}/items`, { stage: 'downloading_shorts', item_ids: [item], total_items: 50 })
  }

  async function call(method: string, path: string, body: object): Promise<void> {
    const answer = await fetch(`${control}/v1/${path}`, { method, body: JSON.stringify(body) })
    await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: HTTP ${answer.status}`)
  }
}

/**
 * How smooth the page is, and what it costs those who do not look: three upstreams, 1,000 requests a second, 500 jobs whose
 * checkpoints move on; rounds with a browser on the page and without, in turn. Arguments: seconds of a round, pairs of rounds.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { z } from 'zod'
import { type Pace, pace } from './load/pace.ts'
import { firstAnswer } from './machine/answers.ts'
import { divideCores } from './machine/cores.ts'
import { freePort } from './machine/ports.ts'
import { createProcesses } from './machine/processes.ts'
import { nodeScript } from './machine/scripts.ts'
import { usageOf } from './machine/usage.ts'
import { startOrigin } from './origin/origin.ts'
import { median } from './statistics.ts'

const SECONDS = Number(process.argv[2] ?? 20)
const PAIRS = Number(process.argv[3] ?? 3)
const UPSTREAMS = ['search', 'downloader', 'transcriber']
const PER_SECOND = 1_000
const JOBS = 500
/** Checkpoints saved a second. */
const SAVES = 20
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']

/** What browsers call a long task. */
const LONG_MS = 50

type Task = { readonly ms: number; readonly ownMs: number }

/** The trace event format of Chromium; times in µs. */
const TRACE = z.object({
  traceEvents: z.array(
    z.object({
      name: z.string(),
      pid: z.number(),
      tid: z.number(),
      dur: z.number().optional(),
      tdur: z.number().optional(),
      args: z.object({ name: z.unknown().optional() }).optional(),
    }),
  ),
})

type Round = { readonly cpuUs: number; readonly p50Ms: number; readonly p99Ms: number; readonly failed: number }

const processes = createProcesses()
const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
process.on('exit', () => {
  processes.killAll()
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const say = (text: string) => void process.stdout.write(`${text}\n`)

const saved = new Map<number, number>()
const cores = divideCores()
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
const program = nodeScript(import.meta.resolve('../bin/breakwater.js'), 'run', '--config', file)
const sidecar = processes.start(
  cores.pinned({ file: program.file, args: ['--max-semi-space-size=2', ...program.args] }),
)
await firstAnswer(controlPort, '/readyz', 200, sidecar)
say(`${cores.description}, as is the browser; ${PAIRS} pairs of rounds of ${SECONDS} s`)
for (let i = 0; i < JOBS; i += 1) {
  await call('PUT', `jobs/job-${i}`, {})
  await save(i)
}
await round()
const rounds: { readonly without: Round; readonly watched: Round }[] = []
const tasks: Task[] = []
for (let i = 0; i < PAIRS; i += 1) {
  const without = await round()
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 } })
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] })
  await page.goto(`${control}/`)
  rounds.push({ without, watched: await round() })
  tasks.push(...longTasksIn(await browser.stopTracing()))
  // Only now: what looks for it is a script that runs in the page.
  await page.getByText(`25 of ${JOBS} jobs`).waitFor()
  await browser.close()
  say(`pair ${i + 1} of ${PAIRS}: ${JSON.stringify(rounds.at(-1))}`)
}
const of = (which: 'without' | 'watched', what: keyof Round) => median(rounds.map((both) => both[which][what]))
const line = (what: keyof Round, unit: string) =>
  `${what}: ${of('without', what).toFixed(2)} ${unit} without, ${of('watched', what).toFixed(2)} ${unit} watched`
say(line('cpuUs', 'µs a request'))
say(line('p50Ms', 'ms more than direct'))
say(line('p99Ms', 'ms more than direct'))
say(`failed: ${rounds.reduce((sum, { without, watched }) => sum + without.failed + watched.failed, 0)}`)
const longest = (what: keyof Task) =>
  tasks
    .map((task) => task[what])
    .sort((a, b) => b - a)
    .slice(0, 5)
    .map((ms) => ms.toFixed(0))
    .join(', ')
say(`tasks of the page over ${LONG_MS} ms by the clock, its loading included, in ${PAIRS * SECONDS} s: ${tasks.length}`)
say(
  `longest by the clock: ${longest('ms') || 'none'} ms; by the CPU time of its thread: ${longest('ownMs') || 'none'} ms`,
)
process.exit()

/**
 * Of the page's main thread, not of the browser's own pages. A machine that does something else lengthens a task by the clock,
 * not by its CPU time.
 */
function longTasksIn(trace: Buffer): Task[] {
  const { traceEvents } = TRACE.parse(JSON.parse(trace.toString()))
  const renderers = new Set(traceEvents.filter(({ args }) => args?.name === 'Renderer').map(({ pid }) => pid))
  const main = new Set(
    traceEvents
      .filter(({ pid, args }) => renderers.has(pid) && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  )
  return traceEvents
    .filter(({ name, pid, tid }) => name === 'ThreadControllerImpl::RunTask' && main.has(`${pid} ${tid}`))
    .map(({ dur = 0, tdur = 0 }) => ({ ms: dur / 1000, ownMs: tdur / 1000 }))
    .filter(({ ms }) => ms > LONG_MS)
}

async function round(): Promise<Round> {
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
      pace(processes, { direct, proxied: `http://127.0.0.1:${port}/${name}/json` }, rate, SECONDS),
    ),
  )
  isOver = true
  await saving
  const cpuMs = usageOf(sidecar.pid).cpuMs - before
  const more = (what: 'p50Ms' | 'p99Ms') => median(paces.map(({ direct: own, proxied }) => proxied[what] - own[what]))
  const failed = paces.reduce((sum, { proxied }) => sum + proxied.failed, 0)
  return {
    cpuUs: (cpuMs * 1000) / (rate * UPSTREAMS.length * SECONDS),
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

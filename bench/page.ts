/**
 * Measures what an open page costs the sidecar's requests, in alternating rounds without and with a browser; then the long
 * tasks of the page, with a core for the browser alone, as on another machine. Arguments: seconds of a round, pairs of rounds.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { divideCores } from './machine/cores.ts'
import { createWorkplace } from './machine/processes.ts'
import { CATEGORIES, LONG_MS, longTasksIn, type Task } from './page/tasks.ts'
import { JOBS, type Round, startWatched, type Watched } from './page/watched.ts'
import { median } from './statistics.ts'

const SECONDS = Number(process.argv[2] ?? 20)
const PAIRS = Number(process.argv[3] ?? 3)
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']

const { folder, processes } = createWorkplace()
const say = (text: string) => void process.stdout.write(`${text}\n`)
const cores = divideCores()

say(`${cores.description}, as is the browser; ${PAIRS} pairs of rounds of ${SECONDS} s`)
const first = await startWatched(processes, cores, folderFor('cost'))
await first.round(SECONDS)
const rounds: { readonly without: Round; readonly watched: Round }[] = []
for (let i = 0; i < PAIRS; i += 1) {
  const without = await first.round(SECONDS)
  const browser = await launched()
  const { page, round: watched } = await lookedAt(browser, first)
  await seenWhole(page)
  await browser.close()
  rounds.push({ without, watched })
  say(`pair ${i + 1} of ${PAIRS}: ${JSON.stringify(rounds.at(-1))}`)
}
await first.stop()
const of = (which: 'without' | 'watched', what: keyof Round) => median(rounds.map((both) => both[which][what]))
const line = (what: keyof Round, unit: string) =>
  `${what}: ${of('without', what).toFixed(2)} ${unit} without, ${of('watched', what).toFixed(2)} ${unit} watched`
say(line('cpuUs', 'µs a request'))
say(line('p50Ms', 'ms more than direct'))
say(line('p99Ms', 'ms more than direct'))
say(`failed: ${rounds.reduce((sum, { without, watched }) => sum + without.failed + watched.failed, 0)}`)

const browser = await launched()
say(cores.crowd())
const second = await startWatched(processes, cores, folderFor('smooth'))
const tasks: Task[] = []
for (let i = 0; i < PAIRS; i += 1) {
  const { page, trace } = await lookedAt(browser, second)
  await seenWhole(page)
  await page.close()
  tasks.push(...longTasksIn(trace))
}
const longest = (what: keyof Task) =>
  tasks
    .map((task) => task[what])
    .sort((a, b) => b - a)
    .slice(0, 5)
    .map((ms) => ms.toFixed(0))
    .join(', ')
say(
  `tasks of the page over ${LONG_MS} ms by the clock, its loading included, in ${PAIRS} × ${SECONDS} s: ${tasks.length}`,
)
say(
  `longest by the clock: ${longest('ms') || 'none'} ms; by the CPU time of its thread: ${longest('ownMs') || 'none'} ms`,
)
process.exit()

function folderFor(name: string): string {
  const made = join(folder, name)
  mkdirSync(made)
  return made
}

function launched(): Promise<Browser> {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
}

/** A round with the page open from the start. */
async function lookedAt(browser: Browser, { url, round }: Watched) {
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 } })
  await browser.startTracing(page, { categories: CATEGORIES })
  await page.goto(url)
  const measured = await round(SECONDS)
  return { page, round: measured, trace: await browser.stopTracing() }
}

/** Waits until the page shows the jobs. Call it after the round: Playwright's search runs scripts in the page. */
async function seenWhole(page: Page): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/#/jobs`)
  await page.getByText(`25 of ${JOBS} jobs`).waitFor()
}

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import type { Bench } from '../bench.ts'
import { breakwater } from '../contestants/breakwater.ts'
import {
  faultyText,
  type Ports,
  ReloadedFile,
  reloadedText,
  reloadingBreakwater,
  type Way,
} from '../contestants/reloading.ts'
import { type Entrant, launchUntil, stopAll, urlOf } from '../entrants.ts'
import { pace } from '../load/pace.ts'
import { freePort } from '../machine/ports.ts'
import { socketsOf } from '../machine/sockets.ts'
import { usageOf } from '../machine/usage.ts'
import type { Section } from '../report.ts'
import { median } from '../statistics.ts'

const REQUESTS_PER_SECOND = 1_000
const RELOADS = 50
/** Time from the start of one reload to the start of the next: all together take 25 s. */
const EVERY_MS = 500
/** The load lasts longer than the reloads. */
const MARGIN_S = 4
/** Time after which both sides have closed idle connections. */
const QUIET_MS = 8_000
const GIVE_UP_MS = 10_000

const WAYS: readonly (readonly [name: string, way: Way, order: 'none' | 'signal' | 'api'])[] = [
  ['symlink swap', 'symlink swap', 'none'],
  ['in place', 'in place', 'none'],
  ['rename', 'rename', 'none'],
  ['SIGHUP', 'rename', 'signal'],
  ['POST', 'rename', 'api'],
]

const PAUSES = z.object({
  /** Longest pause of the event loop by the clock. */
  pauseMs: z.number(),
  /** Longest pause by the CPU time of its thread. */
  ownMs: z.number(),
})
type Pauses = z.infer<typeof PAUSES>

type Sample = {
  readonly name: string
  readonly failed: number
  readonly p99Ms: number
  readonly longest: Pauses
  /** Time from the change of the file to the first request served by the new configuration, or to the refusal. */
  readonly inForceMs: readonly number[]
  readonly isBreakerOpen: boolean
}

type Sidecar = {
  readonly entrant: Entrant
  readonly file: ReloadedFile
  readonly ports: Ports
  readonly pauses: string
  readonly originPort: number
}

/** Measures failed requests and event loop pauses during reloads of each kind, half of them with a faulty file. */
export async function reload(bench: Bench): Promise<Section> {
  if (!bench.contestants.includes(breakwater)) return section([], [])
  const ports: Ports = {
    control: await freePort(),
    dead: await freePort(),
    moving: [await freePort(), await freePort()],
  }
  const pauses = join(bench.folder, 'longest-pause')
  const file = new ReloadedFile(bench.folder)
  const contestant = reloadingBreakwater(file, ports, pauses)
  const entrant = await launchUntil(bench, contestant, bench.originPort, 404)
  const sidecar: Sidecar = { entrant, file, ports, pauses, originPort: bench.originPort }
  try {
    for (let i = 0; i < 5; i += 1) await fetch(urlOf(entrant, '/dead/'))
    bench.say('warming up')
    await underLoad(bench, sidecar, async () => {})
    await reloads(sidecar, WAYS[0], 0, 4)
    const before = await footprint(entrant)
    bench.say('without reloads')
    const samples = [await sampleOf(bench, sidecar, 'none', async () => [])]
    for (const [i, way] of WAYS.entries()) {
      bench.say(`${RELOADS} by ${way[0]}`)
      samples.push(await sampleOf(bench, sidecar, way[0], () => reloads(sidecar, way, (i + 1) * 100, RELOADS)))
    }
    return section(samples, [before, await footprint(entrant)])
  } finally {
    await stopAll([entrant])
  }
}

async function sampleOf(
  bench: Bench,
  sidecar: Sidecar,
  name: string,
  work: () => Promise<readonly number[]>,
): Promise<Sample> {
  await longestPauses(sidecar)
  const { load, done } = await underLoad(bench, sidecar, work)
  const longest = await longestPauses(sidecar)
  const metrics = await (await fetch(urlOf({ port: sidecar.ports.control }, '/metrics'))).text()
  const isBreakerOpen =
    metrics.includes('breakwater_breaker_state{upstream="dead",route="*"} 2') &&
    /breaker_transitions_total\{upstream="dead".*\} 1\n/.test(metrics)
  return { name, ...load.proxied, longest, inForceMs: done, isBreakerOpen }
}

async function underLoad<T>({ processes }: Bench, { entrant, originPort }: Sidecar, work: () => Promise<T>) {
  const urls = { direct: urlOf({ port: originPort }, '/json'), proxied: urlOf(entrant, '/origin/json') }
  const seconds = (RELOADS * EVERY_MS) / 1000 + MARGIN_S
  const loaded = pace(processes, urls, REQUESTS_PER_SECOND, seconds).then((load) => ({ load, at: performance.now() }))
  await delay((MARGIN_S * 1000) / 2)
  const done = await work()
  const doneAt = performance.now()
  const { load, at } = await loaded
  if (doneAt > at) throw new Error('the reloads took longer than the load')
  return { load, done }
}

/** Reloads one after the other, every second time with a faulty file. @returns ms until each was in force or refused. */
async function reloads(sidecar: Sidecar, kind: (typeof WAYS)[number] | undefined, first: number, count: number) {
  if (kind === undefined) return []
  const took: number[] = []
  for (let i = 0; i < count; i += 1) {
    const began = performance.now()
    took.push(await reloadOnce(sidecar, kind, first + i))
    await delay(Math.max(0, EVERY_MS - (performance.now() - began)))
  }
  return took
}

async function reloadOnce(sidecar: Sidecar, [, way, order]: (typeof WAYS)[number], n: number): Promise<number> {
  const { entrant, file, ports, originPort } = sidecar
  const isFaulty = n % 2 === 1
  const sound = reloadedText({ port: entrant.port, originPort }, ports, n)
  const control = (path: string) => urlOf({ port: ports.control }, path)
  const refusals = async () => {
    const text = await (await fetch(control('/metrics'))).text()
    const all = [...text.matchAll(/config_reloads_total\{[^}]*outcome="refused"\} (\d+)/g)]
    return all.reduce((sum, [, count]) => sum + Number(count), 0)
  }
  const before = isFaulty ? await refusals() : 0
  const since = performance.now()
  file.change(way, isFaulty ? faultyText(sound, n) : sound)
  if (order === 'signal') process.kill(entrant.process.pid, 'SIGHUP')
  if (order === 'api') await (await fetch(control('/v1/config/reload'), { method: 'POST' })).text()
  const isDone = async () => {
    if (isFaulty) return (await refusals()) > before
    const answer = await fetch(urlOf(entrant, `/new-${n}/json`))
    await answer.text()
    return answer.status === 200
  }
  while (!(await isDone())) {
    if (performance.now() - since > GIVE_UP_MS) throw new Error(`reload ${n} was not noticed`)
    await delay(5)
  }
  return performance.now() - since
}

async function longestPauses({ entrant, pauses }: Sidecar): Promise<Pauses> {
  rmSync(pauses, { force: true })
  process.kill(entrant.process.pid, 'SIGUSR2')
  while (!existsSync(pauses)) await delay(5)
  return PAUSES.parse(JSON.parse(readFileSync(pauses, 'utf8')))
}

type Footprint = { readonly residentBytes: number; readonly sockets: number }

async function footprint({ process: { pid } }: Entrant): Promise<Footprint> {
  await delay(QUIET_MS)
  return { residentBytes: usageOf(pid).residentBytes, sockets: socketsOf(pid) }
}

function section(samples: readonly Sample[], footprints: readonly Footprint[]): Section {
  const measured = samples.filter(({ inForceMs }) => inForceMs.length > 0)
  const footprintCells = footprints.map(
    ({ residentBytes, sockets }) => `${(residentBytes / 1e6).toFixed(0)} MB, ${sockets} sockets`,
  )
  return {
    title: `${RELOADS} reloads of each kind, half of them faulty, beside ${REQUESTS_PER_SECOND} requests a second`,
    headers: [
      'reloads',
      'failed requests',
      'p99 ms',
      'longest pause ms',
      'in force after ms',
      'at most',
      'breaker open',
    ],
    rows: [
      ...samples.map(({ name, failed, p99Ms, longest, inForceMs, isBreakerOpen }) => [
        name,
        String(failed),
        p99Ms.toFixed(2),
        longest.pauseMs.toFixed(1),
        longest.ownMs.toFixed(1),
        inForceMs.length === 0 ? '–' : median(inForceMs).toFixed(0),
        inForceMs.length === 0 ? '–' : Math.max(...inForceMs).toFixed(0),
        isBreakerOpen ? 'yes' : 'NO',
      ]),
      ...(footprintCells.length === 2 ? [['before and after', ...footprintCells, '', '', '', '', '']] : []),
    ],
    verdicts: [
      { target: 'failed requests', limit: 0, unit: '', values: measured.map(({ failed }) => failed) },
      {
        target: 'longest pause, by CPU time of its thread',
        limit: 10,
        unit: ' ms',
        values: measured.map(({ longest }) => longest.ownMs),
      },
      {
        target: 'in force',
        limit: 2,
        unit: ' s',
        values: measured.map(({ inForceMs }) => Math.max(...inForceMs) / 1000),
      },
    ],
  }
}

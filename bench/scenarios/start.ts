import type { Bench } from '../bench.ts'
import { PEER_HEADERS, peerCells } from '../comparison.ts'
import { breakwater } from '../contestants/breakwater.ts'
import type { Contestant } from '../contestants/contestant.ts'
import { launch } from '../entrants.ts'
import type { Section } from '../report.ts'
import { inTurns } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Measures the time from the start of a proxy to its first forwarded request. */
export async function start(bench: Bench): Promise<Section> {
  const results = await inTurns(bench, bench.contestants, (contestant) => startOnce(bench, contestant))
  return {
    title: 'Start to first request served',
    headers: ['proxy', 'ms', ...PEER_HEADERS],
    rows: [...results].map(([name, samples]) => [name, median(samples).toFixed(0), ...peerCells(results, name, same)]),
    verdicts: [
      {
        target: 'start to the first answer at most 200 ms',
        limit: 200,
        unit: ' ms',
        values: results.get(breakwater.name) ?? [],
      },
    ],
  }
}

const same = (elapsedMs: number) => elapsedMs

/** @returns ms to the first answer, including the time to write the configuration. */
async function startOnce(bench: Bench, contestant: Contestant): Promise<number> {
  const beganAt = performance.now()
  const { process } = await launch(bench, contestant)
  const elapsedMs = performance.now() - beganAt
  await process.stop()
  return elapsedMs
}

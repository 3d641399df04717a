import type { Bench } from '../bench.ts'
import { breakwater, savingBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, launch, stopAll, urlOf, warmUp } from '../entrants.ts'
import { type Appending, appending } from '../load/appending.ts'
import { type Pace, pace } from '../load/pace.ts'
import { freePort } from '../machine/ports.ts'
import type { Section } from '../report.ts'
import { inTurns, type Results } from '../rounds.ts'
import { median } from '../statistics.ts'

const CLIENTS = 64
const PER_SECOND = 2_000
const REQUESTS_PER_SECOND = 1_000

type Sample = { readonly flatOut: Appending; readonly beside: Appending; readonly alone: Pace; readonly together: Pace }

/** Measures acknowledged appends of the embedded store, and how they delay concurrent requests. */
export async function checkpoints(bench: Bench): Promise<Section> {
  const results = bench.contestants.includes(breakwater) ? await measured(bench) : new Map<string, Sample[]>()
  const samples = [...results.values()].flat()
  const middle = (value: (sample: Sample) => number) => median(samples.map(value))
  const cells = (appends: (sample: Sample) => Appending, requestsP99Ms: string) => [
    middle((sample) => appends(sample).perSecond).toFixed(0),
    middle((sample) => appends(sample).p50Ms).toFixed(2),
    middle((sample) => appends(sample).p99Ms).toFixed(2),
    requestsP99Ms,
    String(samples.reduce((sum, sample) => sum + appends(sample).failed, 0)),
  ]
  return {
    title: `Acknowledged appends from ${CLIENTS} clients, and ${REQUESTS_PER_SECOND} requests a second beside them`,
    headers: ['', 'appends/s', 'p50 ms', 'p99 ms', 'requests p99 ms', 'failed'],
    rows:
      samples.length === 0
        ? []
        : [
            ['as fast as it goes', ...cells(({ flatOut }) => flatOut, '–')],
            ['requests beside appends to the origin', '–', '–', '–', middle(aloneP99Ms).toFixed(2), '–'],
            [
              'requests beside appends to Breakwater',
              ...cells(({ beside }) => beside, middle(togetherP99Ms).toFixed(2)),
            ],
          ],
    verdicts: [
      {
        target: `seconds for ${PER_SECOND} acknowledged appends`,
        limit: 1,
        unit: ' s',
        values: samples.map(({ flatOut }) => PER_SECOND / flatOut.perSecond),
      },
      {
        target: 'the 99th percentile of proxied requests beside them, over that beside appends which the origin takes',
        limit: 1.2,
        unit: '',
        values: samples.map((sample) => togetherP99Ms(sample) / aloneP99Ms(sample)),
      },
    ],
  }
}

const aloneP99Ms = ({ alone }: Sample) => alone.proxied.p99Ms
const togetherP99Ms = ({ together }: Sample) => together.proxied.p99Ms

async function measured(bench: Bench): Promise<Results<Sample>> {
  const controlPort = await freePort()
  const entrants: Entrant[] = []
  try {
    entrants.push(await launch(bench, savingBreakwater(controlPort)))
    for (const entrant of entrants) await warmUp(bench, entrant)
    await appending(bench.processes, urlOf({ port: controlPort }, ''), CLIENTS, 0, 2)
    return await inTurns(bench, entrants, (entrant) => sampleOf(bench, entrant, controlPort))
  } catch (error) {
    bench.skip(breakwater.name, String(error))
    return new Map()
  } finally {
    await stopAll(entrants)
  }
}

async function sampleOf({ processes, options, originPort }: Bench, entrant: Entrant, port: number): Promise<Sample> {
  const { seconds } = options
  const urls = { direct: urlOf({ port: originPort }, '/json'), proxied: urlOf(entrant, '/json') }
  const append = (to: number, perSecond: number) =>
    appending(processes, urlOf({ port: to }, ''), CLIENTS, perSecond, seconds)
  const paceBeside = (to: number) =>
    Promise.all([pace(processes, urls, REQUESTS_PER_SECOND, seconds), append(to, PER_SECOND)])
  const flatOut = await append(port, 0)
  // Compared with appends to the origin, which ignores them: the CPU time of the load itself is then in both.
  const [alone] = await paceBeside(originPort)
  const [together, beside] = await paceBeside(port)
  return { flatOut, beside, alone, together }
}

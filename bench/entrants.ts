import type { Bench } from './bench.ts'
import type { Contestant } from './contestants/contestant.ts'
import { firstAnswer } from './machine/answers.ts'
import { freePort } from './machine/ports.ts'
import type { Running } from './machine/processes.ts'
import { inTurns } from './rounds.ts'

/** On a busy machine the compiler needs this long for the paths of the larger ones. */
const WARM_UP_SECONDS = 5

/** A running contestant that answers. */
export type Entrant = { readonly name: string; readonly port: number; readonly process: Running }

/** Starts a contestant and waits until it forwards. @throws Error when it does not forward. */
export const launch = (bench: Bench, contestant: Contestant, path = '/json') =>
  launchUntil(bench, contestant, bench.originPort, 200, path)

/**
 * Starts a contestant in front of any upstream and waits for an answer of `wantedStatus`.
 * @throws Error when there is no such answer; the contestant is then stopped.
 */
export async function launchUntil(
  { processes, cores, folder }: Bench,
  contestant: Contestant,
  originPort: number,
  wantedStatus: number,
  path = '/json',
): Promise<Entrant> {
  const port = await freePort()
  const process = processes.start(cores.pinned(await contestant.prepare({ port, originPort, folder })))
  try {
    await firstAnswer(port, path, wantedStatus, process)
    return { name: contestant.name, port, process }
  } catch (error) {
    await process.stop()
    throw error
  }
}

/**
 * Starts all contestants and warms up each with `prepare`, so that its hot path is compiled. A contestant that fails is
 * named in the report and left out.
 */
export async function launchAll(bench: Bench, prepare: (entrant: Entrant) => Promise<unknown>): Promise<Entrant[]> {
  const entrants: Entrant[] = []
  for (const contestant of bench.contestants) {
    try {
      entrants.push(await launchReady(bench, contestant, prepare))
    } catch (error) {
      bench.skip(contestant.name, String(error))
    }
  }
  return entrants
}

async function launchReady(bench: Bench, contestant: Contestant, prepare: (entrant: Entrant) => Promise<unknown>) {
  const entrant = await launch(bench, contestant)
  try {
    await prepare(entrant)
    return entrant
  } catch (error) {
    await entrant.process.stop()
    throw error
  }
}

/** Sends small requests until the hot path is compiled. */
export async function warmUp({ fire }: Bench, entrant: Entrant): Promise<void> {
  await fire(urlOf(entrant, '/json'), WARM_UP_SECONDS)
}

/** Measures one contestant alone, warmed up. @returns a sample for each round; none when it fails, which the report says. */
export async function samplesOf<Sample>(
  bench: Bench,
  contestant: Contestant,
  measure: (entrant: Entrant) => Promise<Sample>,
): Promise<readonly Sample[]> {
  const entrants: Entrant[] = []
  try {
    entrants.push(await launchReady(bench, contestant, (entrant) => warmUp(bench, entrant)))
    const results = await inTurns(bench, entrants, measure)
    return results.get(contestant.name) ?? []
  } catch (error) {
    bench.skip(contestant.name, String(error))
    return []
  } finally {
    await stopAll(entrants)
  }
}

export async function stopAll(entrants: readonly Entrant[]): Promise<void> {
  await Promise.all(entrants.map(({ process }) => process.stop()))
}

export const urlOf = ({ port }: Pick<Entrant, 'port'>, path: string) => `http://127.0.0.1:${port}${path}`

/** Runs a log or a scenario through one configuration or two, and puts the results side by side. */

import type { Config } from '../config/schema.ts'
import { type Assumptions, assumptionLines, scenarioAssumptionLines } from './assumptions.ts'
import { type Belief, beliefIn, type GivenConfig, makerOf } from './belief.ts'
import { play } from './play.ts'
import type { RecordedLog } from './recorded/log.ts'
import { recordedRun, replay } from './replay.ts'
import { compared } from './report/outcomes.ts'
import { type Finished, type Report, sideBySide } from './report/report.ts'
import type { Scenario } from './scenario.ts'

/** A configuration, and whether it is the one that is asked about or another one to compare with. */
export type Named = GivenConfig & { readonly role: 'other' | 'asked'; readonly config: Config }

/** @param source its name for the report. @param log with a request at least. @param configs the old one first. */
export async function ofLog(
  source: string,
  log: RecordedLog,
  configs: readonly [Named, ...Named[]],
  { assumptions, seed }: { readonly assumptions: Assumptions; readonly seed: number },
): Promise<Report> {
  const recorded = recordedRun(log)
  const runs: Finished[] = [{ name: 'recorded', role: 'recorded', tally: recorded, calls: undefined, left: 0 }]
  const maker = makerOf(log, configs)
  let belief: Belief | undefined
  for (const given of configs) {
    const { name, role, config } = given
    const replayed = await replay(log, config, assumptions, seed)
    runs.push({ name, role, ...replayed })
    if (given === maker.given)
      belief = beliefIn(log, maker, compared(recorded.endings, replayed.tally.endings), replayed.calls)
  }
  return {
    source,
    seed,
    belief,
    assumptions: assumptionLines(assumptions),
    remarks: remarksOn(log, runs),
    runs: sideBySide(runs),
  }
}

/** @param source its name for the report. @param configs the old one first. */
export async function ofScenario(
  source: string,
  scenario: Scenario,
  configs: readonly Named[],
  seed: number,
): Promise<Report> {
  const runs: Finished[] = []
  for (const { name, role, config } of configs)
    runs.push({ name, role, calls: undefined, ...(await play(scenario, config, seed)) })
  const remarks = strangers(runs)
  return {
    source,
    seed,
    belief: undefined,
    assumptions: scenarioAssumptionLines(scenario.sidecars),
    remarks,
    runs: sideBySide(runs),
  }
}

function remarksOn({ skipped, untold }: RecordedLog, runs: readonly Finished[]): string[] {
  const counted = (count: number, what: string) => (count === 0 ? [] : [`${count} ${what}`])
  return [
    ...counted(skipped.unreadable, 'lines of the log are not whole, and were passed over.'),
    ...counted(skipped.noUpstream, 'requests in the log found no upstream, and were passed over.'),
    ...counted(untold, 'requests do not tell their attempts one by one: what those were answered is assumed.'),
    ...strangers(runs),
  ]
}

const strangers = (runs: readonly Finished[]) =>
  runs.flatMap(({ name, left }) =>
    left === 0 ? [] : [`${left} requests went to upstreams that ${name} does not have.`],
  )

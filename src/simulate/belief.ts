/** How far a replay can be believed: how much of the log comes out again under the configuration that made it. */

import type { RecordedLog } from './recorded/log.ts'
import type { Comparison } from './report/outcomes.ts'

/** Share of requests that have to end as recorded, for each of status, reason and attempts. */
const MIN_SHARE = 0.99
/** Share of the log's time for which the process may have stood still. */
const MAX_STALLED_SHARE = 0.01

/** A configuration that was given. `version` is that of its text. */
export type GivenConfig = { readonly name: string; readonly version: string }

/** The given configuration that made the log: by its version where the log tells it, otherwise by assumption. */
export type Maker<G extends GivenConfig> = { readonly given: G; readonly isKnown: boolean }

export type Belief = {
  readonly isBelievable: boolean
  /** Name of the configuration under which the log was reproduced. */
  readonly under: string
  /** Shares of requests with the recorded status, reason and number of attempts, from 0 to 1. */
  readonly status: number
  readonly reason: number
  readonly attempts: number
  /** Sentences: the verdict, then what speaks against the log. */
  readonly says: readonly string[]
}

/**
 * @param given configurations, the likeliest maker first: that is the old one of two.
 * @returns the one whose version stands last in the log; the first where none does.
 */
export function makerOf<G extends GivenConfig>({ provenance }: RecordedLog, given: readonly [G, ...G[]]): Maker<G> {
  const newest = provenance.versions.toReversed()
  for (const version of newest) {
    const found = given.find((one) => one.version === version)
    if (found !== undefined) return { given: found, isKnown: true }
  }
  return { given: given[0], isKnown: false }
}

/** @param comparison of the recorded run with the replay under the maker. */
export function beliefIn(
  log: RecordedLog,
  { given, isKnown }: Maker<GivenConfig>,
  comparison: Comparison,
  calls: { readonly recorded: number; readonly assumed: number },
): Belief {
  const { requests, sameStatus, sameReason, sameAttempts } = comparison
  const [status = 0, reason = 0, attempts = 0] = [sameStatus, sameReason, sameAttempts].map((same) =>
    requests === 0 ? 0 : same / requests,
  )
  const isOfAnother = !isKnown && log.provenance.versions.length > 0
  const isReproduced = Math.min(status, reason, attempts) >= MIN_SHARE
  const isBelievable = isReproduced && !isOfAnother && log.provenance.versions.length <= 1 && !isStarved(log)
  const shares = `${percent(status)} of statuses, ${percent(reason)} of reasons and ${percent(attempts)} of attempts`
  const verdict = `${isBelievable ? 'Can be believed' : 'Cannot be believed'}: of the log, the replay under ${given.name} reproduces ${shares} (at least 99 % of each are asked).`
  return {
    isBelievable,
    under: given.name,
    status,
    reason,
    attempts,
    says: [verdict, ...againstVersion(log, given, isKnown), ...against(log), ...(isReproduced ? [] : guessed(calls))],
  }
}

function againstVersion({ provenance }: RecordedLog, given: GivenConfig, isKnown: boolean): string[] {
  const { versions } = provenance
  if (versions.length === 0)
    return [`The log does not tell which configuration made it: ${given.name} was taken for it.`]
  if (!isKnown)
    return [
      `The log is of another configuration: version ${versions.join(', ')}, and ${given.name} is ${given.version}. The file that made it has to be one of those that are compared.`,
    ]
  if (versions.length === 1) return []
  return [`The configuration changed during the log: versions ${versions.join(', ')}. Cut the log at the reload.`]
}

function against(log: RecordedLog): string[] {
  const { starts, stalls, forced, lostLines } = log.provenance
  const share = log.lengthMs === 0 ? 0 : stalls.ms / log.lengthMs
  const stood = `The sidecar's process stood still ${times(stalls.count)}, ${(stalls.ms / 1000).toFixed(1)} s in all, ${percent(share)} of the log's time`
  return [
    ...(stalls.count === 0
      ? []
      : [isStarved(log) ? `${stood}: its machine was starved, and late timers count as slow upstreams.` : `${stood}.`]),
    ...(starts > 1
      ? [`The sidecar started ${times(starts)}: breakers and latencies began anew, and do not here.`]
      : []),
    ...(forced > 0 ? [`An operator set the mode of a breaker ${times(forced)}, which is not replayed.`] : []),
    ...(lostLines > 0 ? [`${lostLines} lines of the log were lost when it was written.`] : []),
  ]
}

const isStarved = (log: RecordedLog) => log.provenance.stalls.ms > MAX_STALLED_SHARE * log.lengthMs

function guessed({ recorded, assumed }: { readonly recorded: number; readonly assumed: number }): string[] {
  if (assumed === 0) return []
  return [`${percent(assumed / (recorded + assumed))} of its calls are not in the log, and their answers are assumed.`]
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`)

/** Rounded down, so that 99.99 % never reads as all. */
const percent = (share: number) => `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`

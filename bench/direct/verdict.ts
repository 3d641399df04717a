import type { Score } from './play.ts'

export type Verdict = { readonly isWorse: boolean; readonly text: string }

/** Seconds by which two runs of the same client may differ. */
const LEEWAY = 2

/** @param chance share of the calls that finish directly of which chance decides. */
export function judge(direct: Score, sidecar: Score, chance = 0): Verdict {
  const missing = direct.finished - sidecar.finished
  const allowance = chance * direct.finished
  const lag = (sidecar.lastFailureAt ?? 0) - (direct.lastFailureAt ?? 0)
  const faults = [
    missing > allowance && `${missing} fewer finished`,
    sidecar.failed > 0 && direct.failed > 0 && lag > LEEWAY && `fails ${lag.toFixed(1)} s longer`,
    sidecar.repeatedPosts > direct.repeatedPosts && `${sidecar.repeatedPosts} POSTs repeated`,
  ].filter((text) => text !== false)
  if (faults.length > 0) return { isWorse: true, text: `**worse**: ${faults.join(', ')}` }
  return { isWorse: false, text: gain(direct, sidecar, -missing > allowance, lag) }
}

function gain(direct: Score, sidecar: Score, finishedMore: boolean, lag: number): string {
  if (finishedMore || lag < -LEEWAY) return 'better'
  return sidecar.endedAt - direct.endedAt > LEEWAY ? 'equal, but slower' : 'equal'
}

import type { BreakerMark } from './log.ts'

/** A time in which a breaker was open, in ms since the first arrival. */
export type Outage = {
  readonly upstream: string
  readonly fromMs: number
  readonly toMs: number
  /** Whether it ended before its time, so that the last look before its end said that all was well. */
  readonly isCutShort: boolean
}

/** From the changes of breakers that a log tells of. */
export function outagesIn(marks: readonly BreakerMark[]): Outage[] {
  const isSame = (a: BreakerMark, b: BreakerMark) =>
    a.upstream === b.upstream && a.route === b.route && a.endpoint === b.endpoint
  return marks.flatMap((mark, i) => {
    if (mark.to !== 'open') return []
    const { upstream, atMs: fromMs, openMs = 0 } = mark
    const toMs = marks.slice(i + 1).find((later) => isSame(mark, later))?.atMs ?? fromMs + openMs
    return [{ upstream, fromMs, toMs, isCutShort: toMs < fromMs + openMs - 1 }]
  })
}

/**
 * Whether a health path that is asked so often, in ms, was well: known while a breaker was open, since it then would have let
 * a probe through. undefined outside of that.
 */
export function wasWell({ fromMs, toMs, isCutShort }: Outage, at: number, everyMs: number): boolean | undefined {
  return at < fromMs || at > toMs ? undefined : isCutShort && at > toMs - everyMs
}

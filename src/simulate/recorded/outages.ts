import type { BreakerMark } from './log.ts'

/** A time in ms since the first arrival in which a breaker was open. */
export type Outage = {
  readonly upstream: string
  readonly fromMs: number
  readonly toMs: number
  /** Whether it ended early, so that the last health check before its end succeeded. */
  readonly isCutShort: boolean
}

/** From the changes of breakers in a log. */
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
 * Whether a health check with that interval in ms would have succeeded: known while a breaker was open, since a success lets a
 * probe through. undefined otherwise.
 */
export function wasWell({ fromMs, toMs, isCutShort }: Outage, at: number, everyMs: number): boolean | undefined {
  return at < fromMs || at > toMs ? undefined : isCutShort && at > toMs - everyMs
}

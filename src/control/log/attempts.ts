import type { AttemptRecord, RequestEvent } from '../../events.ts'

/** Attempts of a request, unless its line says everything: one attempt, relayed at once, at the only endpoint. */
export function toldAttempts({ history, startedAt, status, backoffMs, breakerMs, retryAfterMs }: RequestEvent) {
  const [only] = history
  if (only === undefined) return undefined
  const waitedMs = backoffMs + breakerMs + retryAfterMs
  const isPlain =
    only.outcome === status && waitedMs === 0 && !only.early && only.endpoint === undefined && !isMarked(only)
  if (history.length === 1 && isPlain) return undefined
  return history.map((attempt) => ({
    at_ms: microseconds(attempt.startedAt - startedAt),
    ms: microseconds(attempt.ms),
    outcome: String(attempt.outcome),
    early: attempt.early || undefined,
    endpoint: attempt.endpoint,
    retry_after_ms: attempt.retryAfterMs > 0 ? microseconds(attempt.retryAfterMs) : undefined,
    broke_ms: attempt.brokeMs === undefined ? undefined : microseconds(attempt.brokeMs),
  }))
}

const isMarked = ({ retryAfterMs, brokeMs }: Readonly<AttemptRecord>) => retryAfterMs > 0 || brokeMs !== undefined

/** ms in whole microseconds. */
export const microseconds = (ms: number) => Math.round(ms * 1000) / 1000

/** Longest id in a line. */
const MAX_ID = 128

export const shortened = (id: string) => (id.length > MAX_ID ? `${id.slice(0, MAX_ID)}…` : id)

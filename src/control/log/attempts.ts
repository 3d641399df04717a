import type { RequestEvent } from '../../events.ts'

/** Attempts of a request, unless its line says everything: one attempt, relayed at once, at the only endpoint. */
export function toldAttempts({ history, startedAt, status, backoffMs, breakerMs, retryAfterMs }: RequestEvent) {
  const [only] = history
  if (only === undefined) return undefined
  const waitedMs = backoffMs + breakerMs + retryAfterMs
  const isPlain = only.outcome === status && waitedMs === 0 && !only.early && only.endpoint === undefined
  if (history.length === 1 && isPlain) return undefined
  return history.map((attempt) => ({
    at_ms: microseconds(attempt.startedAt - startedAt),
    ms: microseconds(attempt.ms),
    outcome: String(attempt.outcome),
    early: attempt.early || undefined,
    endpoint: attempt.endpoint,
  }))
}

/** ms in whole microseconds. */
export const microseconds = (ms: number) => Math.round(ms * 1000) / 1000

/** Longest id in a line. */
const MAX_ID = 128

export const shortened = (id: string) => (id.length > MAX_ID ? `${id.slice(0, MAX_ID)}…` : id)

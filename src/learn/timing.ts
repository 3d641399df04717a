/** Time limits from the times that were seen. */

import { defaultsOf } from '../config/kinds/setting.ts'
import { durationMs, writtenMs } from '../config/kinds/units.ts'
import { DEADLINE } from '../policy/deadline/settings.ts'
import { REPEATABLE } from '../policy/retry/settings.ts'
import type { Template } from './templates.ts'

/** What applies where the file says nothing. */
const { timeout, clientTimeout } = defaultsOf(DEADLINE.route) as {
  readonly timeout: { readonly attempt: string; readonly total: string }
  readonly clientTimeout: string
}
const [ATTEMPT_MS = 0, TOTAL_MS = 0, CLIENT_MS = 0] = [timeout.attempt, timeout.total, clientTimeout].map(durationMs)

/** How much longer than the longest that was seen a limit is. */
const ROOM = 2

const STEPS_S = [
  1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
]

/** The next length that a person would write, in ms. */
export function roundedUp(ms: number): number {
  const step = STEPS_S.find((seconds) => seconds * 1000 >= ms)
  return step === undefined ? Math.ceil(ms / 86_400_000) * 86_400_000 : step * 1000
}

export type Limits = { readonly settings: readonly string[]; readonly why: string }

/** Limits for a route whose answers take longer than the defaults allow; undefined where those do. */
export function limitsOf({ method, exchanges }: Template): Limits | undefined {
  const heads = exchanges.flatMap(({ exchange }) => exchange.firstByteMs ?? [])
  const longest = heads.reduce((most, ms) => Math.max(most, ms), 0)
  if (longest * ROOM <= ATTEMPT_MS) return undefined
  const attemptMs = roundedUp(longest * ROOM)
  const isRepeated = REPEATABLE.includes(method)
  const totalMs = Math.max(TOTAL_MS, isRepeated ? roundedUp(attemptMs * ROOM) : attemptMs)
  const clientMs = totalMs < CLIENT_MS ? CLIENT_MS : roundedUp(totalMs + 1000)
  return {
    settings: [
      `timeout: { attempt: ${writtenMs(attemptMs)}, total: ${writtenMs(totalMs)} }`,
      ...(clientMs > CLIENT_MS ? [`clientTimeout: ${writtenMs(clientMs)}`] : []),
    ],
    why: `the slowest of ${heads.length} began to answer after ${writtenMs(longest)}`,
  }
}

import { answer } from '../answers.ts'
import { isFine } from '../client.ts'
import type { Clock } from '../clock.ts'
import type { Fault } from '../fault.ts'
import { offer, poll } from '../traffic.ts'

/** Lets five calls a second through, and five more after a pause. */
function fiveASecond(clock: Clock): () => boolean {
  let tokens = 5
  let at = 0
  return () => {
    const now = clock.now()
    tokens = Math.min(5, tokens + 5 * (now - at))
    at = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}

const limited = (status: 429 | 503, headers: Record<string, string>): Fault => ({
  name: `limit of 5/s, ${status} ${'retry-after' in headers ? 'with Retry-After: 1' : 'without Retry-After'}`,
  client: 'GET, 12/s for 20 s',
  answers: (clock) => {
    const isAllowed = fiveASecond(clock)
    return { request: (_, response) => (isAllowed() ? answer(response) : answer(response, status, headers)) }
  },
  play: offer({ perSecond: 12, seconds: 20 }),
  chance: 0.05,
})

export const limits: readonly Fault[] = [
  limited(429, { 'retry-after': '1' }),
  limited(503, { 'retry-after': '1' }),
  limited(429, {}),
  {
    name: 'model that loads for 30 s, 503',
    client: 'polls each second until 200, for at most 60 s',
    answers: (clock) => ({ request: (_, response) => answer(response, clock.now() < 30 ? 503 : 200) }),
    play: poll({ every: 1, isDone: isFine, within: 60 }),
  },
]

import { answerAfter, fine } from '../answers.ts'
import { BEGIN, type Fault } from '../fault.ts'
import { offer } from '../traffic.ts'

/** Seconds for which the client goes on after the upstream is back. */
const AFTERWARDS = 10

const restart = (seconds: number, clients: 1 | 8): Fault => ({
  name: `restart of ${seconds} s, ${clients === 1 ? '1 client' : '8 clients'}`,
  client: `GET, ${5 * clients}/s`,
  answers: fine(),
  happens: async ({ clock, upstream }) => {
    await clock.until(BEGIN)
    await upstream.away(seconds)
  },
  play: offer({ perSecond: 5 * clients, seconds: BEGIN + seconds + AFTERWARDS }),
})

export const restarts: readonly Fault[] = [
  ...[0.5, 3, 10, 30].flatMap((seconds) => [restart(seconds, 1), restart(seconds, 8)]),
  {
    ...restart(3, 1),
    name: 'restart of 3 s, POST',
    client: 'POST, 5/s',
    play: offer({ perSecond: 5, seconds: 15 }, { method: 'POST', body: { bytes: 1000, pieces: 1, every: 0 } }),
  },
  {
    ...restart(3, 1),
    name: 'restart of 3 s, TLS',
    tls: true,
    onWire: true,
  },
  {
    name: 'restart of 0.5 s that resets requests',
    client: 'GET of 300 ms, 10/s',
    answers: (clock) => ({ request: answerAfter(clock, 0.3) }),
    happens: async ({ clock, upstream }) => {
      await clock.until(BEGIN)
      await upstream.away(0.5, 'reset')
    },
    play: offer({ perSecond: 10, seconds: 12 }),
  },
]

import { answer, answerAfter, fine } from '../answers.ts'
import type { Call } from '../client.ts'
import { BEGIN, type Fault } from '../fault.ts'
import { offer } from '../traffic.ts'

const slow = (method: 'GET' | 'POST', seconds: number): Fault => ({
  name: `${method} of ${seconds} s`,
  client: `${method}, 1/s, 3 in all`,
  answers: fine(seconds),
  play: offer(
    { perSecond: 1, seconds: 3 },
    { method, ...(method === 'POST' && { body: { bytes: 1000, pieces: 1, every: 0 } }) },
  ),
})

const UPLOAD = { bytes: 1_000_000, pieces: 30, every: 1 } satisfies Call['body']

const upload = (method: 'POST' | 'PUT'): Fault => ({
  name: `upload of 30 s, ${method}`,
  client: `${method}, 1 MB in 30 pieces`,
  answers: () => ({
    request: async (request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      request.on('end', () => answer(response, bytes === UPLOAD.bytes ? 200 : 400))
    },
  }),
  play: offer({ perSecond: 1, seconds: 1 }, { method, body: UPLOAD }),
  onWire: true,
})

export const slows: readonly Fault[] = [
  slow('GET', 8),
  slow('POST', 15),
  slow('POST', 24),
  slow('POST', 40),
  upload('POST'),
  upload('PUT'),
  {
    name: 'hung upstream for 10 s',
    client: 'GET, 5/s, gives up after 2 s',
    answers: (clock) => {
      const good = answerAfter(clock, 0.005)
      return {
        request: (request, response) => {
          if (clock.now() < BEGIN || clock.now() > BEGIN + 10) good(request, response)
        },
      }
    },
    play: offer({ perSecond: 5, seconds: 22 }, { timeout: 2 }),
  },
  {
    name: 'pause of 3 s',
    client: 'GET, 5/s, gives up after 10 s',
    answers: fine(),
    happens: async ({ clock, pause }) => {
      await clock.until(BEGIN)
      await pause(3)
    },
    play: offer({ perSecond: 5, seconds: 12 }, { timeout: 10 }),
    onWire: true,
  },
]

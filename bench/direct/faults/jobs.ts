import { answer, fine } from '../answers.ts'
import type { Clock } from '../clock.ts'
import { BEGIN, type Fault, type Run } from '../fault.ts'
import { poll, together } from '../traffic.ts'

type Job = { readonly pollers: number; readonly every: number; readonly away: number; readonly lasts: number }

/** Answers 200 with a job's status, which is `completed` after so many seconds. */
const job = (clock: Clock, lasts: number) => (isThere: () => boolean) => ({
  request: (_request: unknown, response: Parameters<typeof answer>[0]) =>
    isThere() ? response.end(clock.now() < lasts ? 'running' : 'completed') : answer(response, 404),
})

const pollJob = (every: number) => poll({ every, errorsAllowed: 5, isDone: ({ text }) => text === 'completed' })

const pollers = ({ pollers, every, away, lasts }: Job): Fault => ({
  name: `upstream away for ${away} s during a job of ${lasts} s`,
  client: `${pollers} pollers, ${every} s apart, that allow five errors in a row`,
  answers: (clock) => job(clock, lasts)(() => true),
  happens: async ({ clock, upstream }) => {
    await clock.until(1 + BEGIN)
    await upstream.away(away)
  },
  play: together(...Array.from({ length: pollers }, () => pollJob(every))),
})

/** Tries up to four times, with 1, 2 and 4 s between. */
async function tryFourTimes({ clock, client }: Run): Promise<boolean> {
  for (const wait of [1, 2, 4]) {
    if ((await client.call({})).status === 200) return true
    await clock.sleep(wait)
  }
  return (await client.call({})).status === 200
}

export const jobs: readonly Fault[] = [
  pollers({ pollers: 5, every: 4, away: 15, lasts: 30 }),
  pollers({ pollers: 5, every: 2, away: 8, lasts: 20 }),
  {
    name: 'job of 12 s whose first three polls find 404',
    client: 'a poller, 2 s apart, that allows five errors in a row',
    answers: (clock) => {
      let polls = 0
      return job(
        clock,
        12,
      )(() => {
        polls += 1
        return polls > 3
      })
    },
    play: pollJob(2),
  },
  {
    name: 'outage of 10 s, client with retries',
    client: 'GET, 1/s, tried four times with 1, 2 and 4 s between',
    answers: fine(),
    happens: async ({ clock, upstream }) => {
      await clock.until(BEGIN)
      await upstream.away(10)
    },
    play: async (run) => {
      const work: Promise<void>[] = []
      for (let second = 0; second < 22; second += 1) {
        await run.clock.until(second)
        work.push(run.client.count(() => tryFourTimes(run)))
      }
      await Promise.all(work)
    },
  },
]

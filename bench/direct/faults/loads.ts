import type { RequestListener, ServerResponse } from 'node:http'
import { answer, answerAfter, fine } from '../answers.ts'
import type { Clock } from '../clock.ts'
import type { Fault } from '../fault.ts'
import { atOnce, offer } from '../traffic.ts'

/**
 * An upstream of 8 workers, each of which takes 50 ms for a request: 160 requests a second. The others queue, and those that
 * have queued for 5 s are answered 503. It works for clients that have left as well, as most do.
 */
function workers(clock: Clock): RequestListener {
  const queue: { readonly response: ServerResponse; readonly at: number }[] = []
  let idle = 8
  const next = async () => {
    for (let work = queue.shift(); work !== undefined; work = queue.shift()) {
      if (clock.now() - work.at > 5) answer(work.response, 503)
      else {
        await clock.sleep(0.05)
        answer(work.response)
      }
    }
    idle += 1
  }
  return (_request, response) => {
    queue.push({ response, at: clock.now() })
    if (idle === 0) return
    idle -= 1
    void next()
  }
}

export const loads: readonly Fault[] = [
  {
    name: '64 + 1 calls at once',
    client: 'GET of 2 s, 65 at once',
    answers: fine(2),
    play: atOnce(65),
  },
  {
    name: 'resets after the request, 30 %',
    client: 'GET, 10/s',
    answers: (clock) => {
      const good = answerAfter(clock, 0.005)
      let calls = 0
      return {
        request: (request, response) => {
          calls += 1
          if ((calls * 3) % 10 < 3) request.socket.resetAndDestroy()
          else good(request, response)
        },
      }
    },
    play: offer({ perSecond: 10, seconds: 10 }),
  },
  {
    name: 'bursts of 100 calls',
    client: 'GET of 50 ms, 100 at once, each 2 s, five times',
    answers: fine(0.05),
    play: async (run) => {
      const bursts: Promise<unknown>[] = []
      for (let burst = 0; burst < 5; burst += 1) {
        await run.clock.until(2 * burst)
        bursts.push(atOnce(100)(run))
      }
      await Promise.all(bursts)
    },
    alone: true,
  },
  {
    name: 'overload, three times the capacity',
    client: 'GET, 480/s for 10 s, gives up after 2 s',
    answers: (clock) => ({ request: workers(clock) }),
    play: offer({ perSecond: 480, seconds: 10 }, { timeout: 2 }),
    alone: true,
    chance: 0.05,
  },
]

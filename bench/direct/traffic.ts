import { type Call, isFine, type Reply } from './client.ts'
import type { Fault, Run } from './fault.ts'

type Rate = { readonly perSecond: number; readonly seconds: number }

/** Makes counted calls on a timer, which does not wait for responses. */
export const offer =
  (rate: Rate, call: Call = {}, isGood: (reply: Reply) => boolean = isFine) =>
  (run: Run) =>
    repeat(rate, run, () => run.client.count(async () => isGood(await run.client.call(call))))

/** Makes calls that are not counted. */
export const offerUncounted = (rate: Rate, call: Call) => (run: Run) => repeat(rate, run, () => run.client.call(call))

async function repeat({ perSecond, seconds }: Rate, { clock }: Run, make: () => Promise<unknown>) {
  const calls: Promise<unknown>[] = []
  for (let n = 0; n < Math.round(perSecond * seconds); n += 1) {
    await clock.until(n / perSecond)
    calls.push(make())
  }
  await Promise.all(calls)
}

/** Makes so many counted calls at once. */
export const atOnce = (calls: number, call: Call = {}) => together(...Array.from({ length: calls }, () => once(call)))

const once =
  (call: Call) =>
  ({ client }: Run) =>
    client.count(async () => isFine(await client.call(call)))

/** Several clients at once. */
export const together =
  (...all: Fault['play'][]): Fault['play'] =>
  (run) =>
    Promise.all(all.map((play) => play(run)))

type Polling = {
  readonly path?: string
  /** Seconds between a response and the next poll. */
  readonly every: number
  readonly isDone: (reply: Reply) => boolean
  /** Errors in a row that the poller allows. It gives up at the next one. */
  readonly errorsAllowed?: number
  /** Seconds after which the poller gives up. */
  readonly within?: number
}

/** Polls until a job is done, which is what counts. */
export const poll =
  ({ path = '/', every, isDone, errorsAllowed = Infinity, within = 600 }: Polling) =>
  ({ client, clock }: Run) =>
    client.count(async () => {
      const until = clock.now() + within
      for (let errors = 0; clock.now() < until; await clock.sleep(every)) {
        const reply = await client.call({ path, timeout: Math.min(70, until - clock.now()) })
        if (isFine(reply) && isDone(reply)) return true
        errors = isFine(reply) ? 0 : errors + 1
        if (errors > errorsAllowed) return false
      }
      return false
    })

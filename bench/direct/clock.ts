import { setTimeout as wait } from 'node:timers/promises'

/** Time of one run, in seconds since the client began. With `--scale 2` each of these seconds takes two. */
export type Clock = {
  start(): void
  now(): number
  sleep(seconds: number): Promise<void>
  /** Resolves at once when that time has passed. */
  until(at: number): Promise<void>
  toMs(seconds: number): number
}

export function createClock(scale: number): Clock {
  let startedAt = performance.now()
  const now = () => (performance.now() - startedAt) / 1000 / scale
  const toMs = (seconds: number) => seconds * 1000 * scale
  const sleep = async (seconds: number) => void (await wait(toMs(seconds)))
  return {
    start: () => {
      startedAt = performance.now()
    },
    now,
    sleep,
    until: async (at) => {
      const left = at - now()
      if (left > 0) await sleep(left)
    },
    toMs,
  }
}

import type { Bench } from './bench.ts'
import { usageOf } from './machine/usage.ts'

/** One sample for each round, by name of the contestant. */
export type Results<Sample> = ReadonlyMap<string, readonly Sample[]>

/**
 * Measures all in turn, A B C, A B C, …, so that other load on the machine affects all alike. A contestant that fails is
 * named in the report and left out.
 */
export async function inTurns<One extends { readonly name: string }, Sample>(
  bench: Bench,
  all: readonly One[],
  measure: (one: One) => Promise<Sample>,
): Promise<Results<Sample>> {
  const results = new Map(all.map(({ name }) => [name, [] as Sample[]]))
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    for (const one of all) {
      const samples = results.get(one.name)
      if (samples === undefined) continue
      bench.say(`round ${round} of ${bench.options.rounds}: ${one.name}`)
      try {
        samples.push(await measure(one))
      } catch (error) {
        bench.skip(one.name, String(error))
        results.delete(one.name)
      }
    }
  }
  return results
}

/** @returns the result of `work`, and the CPU time of the process and its descendants during it, in ms. */
export async function metered<T>(pid: number, work: () => Promise<T>): Promise<{ done: T; cpuMs: number }> {
  const before = usageOf(pid).cpuMs
  const done = await work()
  return { done, cpuMs: usageOf(pid).cpuMs - before }
}

/** Runs of the comparison over real connections, for the test and for the long fuzz. */

import { chance } from '../../fuzz/chance.ts'
import type { Run } from '../differential.ts'
import { RequestOracles } from './compare-requests.ts'
import { ResponseOracles } from './compare-responses.ts'

/** @property stricter the reasons for which the sidecar alone refused a message. */
export type OneRun = Pick<Run, 'defects' | 'agreed'> & { readonly stricter: readonly string[] }

/** Compares the scenarios with these numbers, each of which can be repeated alone. Even ones are of clients, odd ones of servers. */
export async function compareOnSockets(seed: number, from: number, to: number): Promise<Run> {
  const oracles = [new ResponseOracles(), new RequestOracles()]
  for (const oracle of oracles) await oracle.listen()
  const defects: string[] = []
  const stricter = new Map<string, number>()
  let agreed = 0
  for (let n = from; n < to; n += 1) {
    const run = await oracles[n % 2]?.compare(chance(seed).fork(n))
    agreed += run?.agreed ?? 0
    for (const reason of run?.stricter ?? []) stricter.set(reason, (stricter.get(reason) ?? 0) + 1)
    for (const defect of run?.defects ?? []) defects.push(`seed ${seed} scenario ${n}: ${defect}`)
  }
  for (const oracle of oracles) oracle.close()
  return { defects, agreed, stricter }
}

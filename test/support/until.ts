import { setTimeout } from 'node:timers/promises'

/** Asks again until it holds: for what another process does in its own time. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await setTimeout(20)
}

import { setTimeout } from 'node:timers/promises'

/** Polls until `holds` resolves to true: for changes that another process or thread makes in real time. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await setTimeout(20)
}

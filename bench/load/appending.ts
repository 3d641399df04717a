import { z } from 'zod'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { lastJsonLine } from './output.ts'

const APPENDING = z.object({
  /** Acknowledged appends per second. */
  perSecond: z.number(),
  /** Latency of all answers. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  failed: z.number(),
})
export type Appending = z.infer<typeof APPENDING>

/** Appends for `seconds`: `perSecond` over all clients, or with 0 as fast as the appends are acknowledged. */
export async function appending(
  processes: Processes,
  controlUrl: string,
  clients: number,
  perSecond: number,
  seconds: number,
): Promise<Appending> {
  const command = nodeScript(import.meta.resolve('./appender.ts'), controlUrl, clients, perSecond, seconds)
  return APPENDING.parse(lastJsonLine(await processes.run(command)))
}

import { z } from 'zod'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { lastJsonLine } from './output.ts'

const LATENCIES = z.object({
  /** From the moment a request is handed to its connection to the end of its answer. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** No answer, or not a 200. */
  failed: z.number(),
})
const PACE = z.object({ direct: LATENCIES, proxied: LATENCIES })
export type Pace = z.infer<typeof PACE>

/** Asks each of the two urls `perSecond` times a second, for so many seconds. */
export async function pace(
  processes: Processes,
  urls: { readonly direct: string; readonly proxied: string },
  perSecond: number,
  seconds: number,
): Promise<Pace> {
  const command = nodeScript(import.meta.resolve('./paced.ts'), urls.direct, urls.proxied, perSecond, seconds)
  return PACE.parse(lastJsonLine(await processes.run(command)))
}

import { z } from 'zod'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { lastJsonLine } from './output.ts'

const LATENCIES = z.object({
  /** Latency from the moment the request is given to its connection to the end of the response. */
  p50Ms: z.number(),
  p99Ms: z.number(),
  /** Requests without an answer, or with one other than 200. */
  failed: z.number(),
})
const PACE = z.object({ direct: LATENCIES, proxied: LATENCIES })
export type Pace = z.infer<typeof PACE>

/** Sends `perSecond` requests a second to each of the two urls, for `seconds`. */
export async function pace(
  processes: Processes,
  urls: { readonly direct: string; readonly proxied: string },
  perSecond: number,
  seconds: number,
): Promise<Pace> {
  const command = nodeScript(import.meta.resolve('./paced.ts'), urls.direct, urls.proxied, perSecond, seconds)
  return PACE.parse(lastJsonLine(await processes.run(command)))
}

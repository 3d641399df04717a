import { z } from 'zod'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { lastJsonLine } from './output.ts'

const HAUL = z.object({ bodies: z.number(), seconds: z.number() })
export type Haul = z.infer<typeof HAUL>

/** Connections of a load of several bodies at a time. */
export const SEVERAL = 4

/**
 * Downloads the body at `url` again and again, one on each connection at a time, for at least `seconds`.
 * @throws Error when a body is not whole.
 */
export async function haul(
  processes: Processes,
  url: string,
  bytes: number,
  seconds: number,
  connections: number,
): Promise<Haul> {
  const command = nodeScript(import.meta.resolve('./downloader.ts'), url, connections, seconds, bytes)
  return HAUL.parse(lastJsonLine(await processes.run(command)))
}

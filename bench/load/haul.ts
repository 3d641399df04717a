import { z } from 'zod'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { lastJsonLine } from './output.ts'

const HAUL = z.object({ bodies: z.number(), seconds: z.number() })
export type Haul = z.infer<typeof HAUL>

const CONNECTIONS = 4

/**
 * Downloads the body at `url` again and again on a few connections, for at least `seconds`.
 * @throws Error when a body is not whole.
 */
export async function haul(processes: Processes, url: string, bytes: number, seconds: number): Promise<Haul> {
  const command = nodeScript(import.meta.resolve('./downloader.ts'), url, CONNECTIONS, seconds, bytes)
  return HAUL.parse(lastJsonLine(await processes.run(command)))
}

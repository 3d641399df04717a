import { join } from 'node:path'
import { z } from 'zod'
import type { Command, Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import { findTool } from '../machine/tools.ts'
import { lastJsonLine } from './output.ts'

const VOLLEY = z.object({
  /** Answers of any status. */
  requests: z.number(),
  /** Answers that were not 2xx or 3xx. */
  refused: z.number(),
  /** Requests that got no answer. */
  failed: z.number(),
  /** How long it took. */
  seconds: z.number(),
  /** Latency; of 2xx alone where autocannon measures it. */
  p50Ms: z.number(),
  p99Ms: z.number(),
})
export type Volley = z.infer<typeof VOLLEY>

/** Asks `url` as fast as it answers, on 64 keep-alive connections. */
export type Fire = (url: string, seconds: number) => Promise<Volley>

const CONNECTIONS = 64

/** wrk where it is installed, else autocannon, which takes far more of the machine. */
export function chooseFire(processes: Processes): { readonly description: string; readonly fire: Fire } {
  const wrk = findTool('wrk')
  return {
    description: `${wrk === undefined ? 'autocannon' : 'wrk'} with ${CONNECTIONS} connections`,
    fire: async (url, seconds) => {
      const command = wrk === undefined ? autocannonCommand(url, seconds) : wrkCommand(wrk, url, seconds)
      return VOLLEY.parse(lastJsonLine(await processes.run(command)))
    },
  }
}

const autocannonCommand = (url: string, seconds: number): Command =>
  nodeScript(import.meta.resolve('./autocannon.ts'), url, CONNECTIONS, seconds)

/** wrk knows whole seconds only. */
const wrkCommand = (wrk: string, url: string, seconds: number): Command => ({
  file: wrk,
  args: [
    ...['-t', '1', '-c', String(CONNECTIONS), '-d', `${Math.max(1, Math.round(seconds))}s`],
    ...['-s', join(import.meta.dirname, 'wrk-report.lua'), url],
  ],
})

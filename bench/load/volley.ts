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
  /** Length of the volley. */
  seconds: z.number(),
  /** Latency of all answers; of 2xx answers only when autocannon is used. */
  p50Ms: z.number(),
  p99Ms: z.number(),
})
export type Volley = z.infer<typeof VOLLEY>

/**
 * Sends requests to `url` on keep-alive connections, each as soon as the one before is answered.
 * @param connections 64 by default.
 */
export type Fire = (url: string, seconds: number, connections?: number) => Promise<Volley>

const CONNECTIONS = 64

/** wrk when it is installed, or else autocannon, which uses far more CPU. */
export function chooseFire(processes: Processes): { readonly description: string; readonly fire: Fire } {
  const wrk = findTool('wrk')
  return {
    description: `${wrk === undefined ? 'autocannon' : 'wrk'} with ${CONNECTIONS} connections`,
    fire: async (url, seconds, connections = CONNECTIONS) => {
      const command =
        wrk === undefined ? autocannonCommand(url, seconds, connections) : wrkCommand(wrk, url, seconds, connections)
      return VOLLEY.parse(lastJsonLine(await processes.run(command)))
    },
  }
}

const autocannonCommand = (url: string, seconds: number, connections: number): Command =>
  nodeScript(import.meta.resolve('./autocannon.ts'), url, connections, seconds)

/** wrk takes whole seconds only. */
const wrkCommand = (wrk: string, url: string, seconds: number, connections: number): Command => ({
  file: wrk,
  args: [
    ...['-t', '1', '-c', String(connections), '-d', `${Math.max(1, Math.round(seconds))}s`],
    ...['-s', join(import.meta.dirname, 'wrk-report.lua'), url],
  ],
})

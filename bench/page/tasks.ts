/** Long tasks of the page's main thread, from Chromium's trace. */

import { z } from 'zod'

/** Length by the clock (`ms`) and by the CPU time of the thread (`ownMs`): other load on the machine lengthens only `ms`. */
export type Task = { readonly ms: number; readonly ownMs: number }

/** Shortest long task (W3C Long Tasks API), in ms. */
export const LONG_MS = 50

/** The trace event format of Chromium; times in µs. */
const TRACE = z.object({
  traceEvents: z.array(
    z.object({
      name: z.string(),
      pid: z.number(),
      tid: z.number(),
      dur: z.number().optional(),
      tdur: z.number().optional(),
      args: z.object({ name: z.unknown().optional() }).optional(),
    }),
  ),
})

/** Trace categories that `longTasksIn` needs. */
export const CATEGORIES = ['toplevel', '__metadata']

/** Tasks of the page's main thread over `LONG_MS` by the clock, without those of the browser's own pages. */
export function longTasksIn(trace: Buffer): Task[] {
  const { traceEvents } = TRACE.parse(JSON.parse(trace.toString()))
  const renderers = new Set(traceEvents.filter(({ args }) => args?.name === 'Renderer').map(({ pid }) => pid))
  const main = new Set(
    traceEvents
      .filter(({ pid, args }) => renderers.has(pid) && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  )
  return traceEvents
    .filter(({ name, pid, tid }) => name === 'ThreadControllerImpl::RunTask' && main.has(`${pid} ${tid}`))
    .map(({ dur = 0, tdur = 0 }) => ({ ms: dur / 1000, ownMs: tdur / 1000 }))
    .filter(({ ms }) => ms > LONG_MS)
}

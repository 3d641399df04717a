import { z } from 'zod'

/** A .cpuprofile as `node --cpu-prof` writes it: a tree of frames, and the frame that each sample found running. */
const CPU_PROFILE = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).default([]),
    }),
  ),
  /** Start of sampling on the machine's monotonic clock, in µs. */
  startTime: z.number(),
  samples: z.array(z.number()),
  /** The time between a sample and the one before it, in µs. */
  timeDeltas: z.array(z.number()),
})

export type Frame = {
  readonly name: string
  /** File and line; '' for V8's own work, such as garbage collection. */
  readonly at: string
  /** Time in which this frame was on top of the stack, in ms. */
  readonly selfMs: number
  /** `selfMs` together with the time of the frames that it called. */
  readonly totalMs: number
  /** By total time, the longest first. */
  readonly callees: readonly Frame[]
}

/**
 * The frames of a profile, without idle time.
 * @param root folder to which file names are made relative.
 * @param sinceUs samples before this moment are left out; `process.hrtime` in µs, which is V8's clock on Linux.
 */
export function readFrames(text: string, root: string, sinceUs: number): Frame {
  const { nodes, startTime, samples, timeDeltas } = CPU_PROFILE.parse(JSON.parse(text))
  const selfMs = new Map<number, number>()
  let nowUs = startTime
  for (const [i, id] of samples.entries()) {
    const deltaUs = timeDeltas[i] ?? 0
    nowUs += deltaUs
    if (nowUs >= sinceUs) selfMs.set(id, (selfMs.get(id) ?? 0) + deltaUs / 1000)
  }
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const frameOf = (id: number): Frame | undefined => {
    const node = byId.get(id)
    if (node === undefined || node.callFrame.functionName === '(idle)') return undefined
    const callees = node.children
      .map(frameOf)
      .filter((callee) => callee !== undefined)
      .toSorted((a, b) => b.totalMs - a.totalMs)
    const own = selfMs.get(id) ?? 0
    const { functionName, url, lineNumber } = node.callFrame
    return {
      name: functionName === '' ? '(anonymous)' : functionName,
      at: url === '' ? '' : `${url.replace(`file://${root}/`, '')}:${lineNumber + 1}`,
      selfMs: own,
      totalMs: callees.reduce((sum, { totalMs }) => sum + totalMs, own),
      callees,
    }
  }
  const first = nodes[0] && frameOf(nodes[0].id)
  if (first === undefined) throw new Error('the profile has no frames')
  return first
}

/** The functions with the most self time, wherever they were called from. */
export function heaviest(root: Frame, count: number): { name: string; at: string; selfMs: number }[] {
  const functions = new Map<string, { name: string; at: string; selfMs: number }>()
  const add = ({ name, at, selfMs, callees }: Frame) => {
    const key = `${name} ${at}`
    const known = functions.get(key) ?? { name, at, selfMs: 0 }
    functions.set(key, { ...known, selfMs: known.selfMs + selfMs })
    callees.forEach(add)
  }
  add(root)
  return [...functions.values()].toSorted((a, b) => b.selfMs - a.selfMs).slice(0, count)
}

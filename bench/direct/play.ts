import type { Processes } from '../machine/processes.ts'
import type { Certificate } from './certificate.ts'
import { createClient, type Tally } from './client.ts'
import { createClock } from './clock.ts'
import type { Fault } from './fault.ts'
import { startSidecar } from './sidecar.ts'
import { startUpstream } from './upstream.ts'

/** How a client fared on one of the two ways. */
export type Score = Tally & {
  /** Calls that reached the upstream. */
  readonly calls: number
  /** POSTs that reached the upstream more than once. */
  readonly repeatedPosts: number
}

export type Stage = {
  readonly scale: number
  /** Checkout whose sidecar is measured. */
  readonly root: string
  readonly folder: string
  readonly processes: Processes
  readonly certificate: Certificate | undefined
}

export type Way = 'direct' | 'sidecar'

/**
 * Starts the upstream of a fault and, where it is on the way, a sidecar.
 * @returns a function that plays the fault, once.
 */
export async function prepare(fault: Fault, way: Way, stage: Stage): Promise<() => Promise<Score>> {
  const clock = createClock(stage.scale)
  const tls = fault.tls === true ? stage.certificate : undefined
  const replicas = Array.from({ length: fault.replicas ?? 1 }, (_, n) => n)
  const upstreams = await Promise.all(replicas.map((n) => startUpstream(fault.answers(clock, n), clock, tls)))
  const [upstream] = upstreams
  if (upstream === undefined) throw new Error(`${fault.name} has no upstream`)
  const urls = upstreams.map(({ url }) => url)
  const sidecar = way === 'direct' ? undefined : await startSidecar({ ...stage, clock, upstreams: urls, ca: tls?.file })
  const client = createClient(sidecar === undefined ? urls : [sidecar.url], clock, tls?.cert)
  const { pause } = sidecar ?? upstream

  return async () => {
    clock.start()
    const run = { clock, client, upstream, pause }
    await Promise.all([fault.play(run), fault.happens?.(run)])
    client.close()
    await sidecar?.stop()
    for (const { stop } of upstreams) stop()
    return {
      ...client.tally(),
      calls: sum(upstreams.map(({ calls }) => calls())),
      repeatedPosts: sum(upstreams.map(({ repeatedPosts }) => repeatedPosts())),
    }
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

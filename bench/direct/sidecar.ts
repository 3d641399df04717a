import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Processes } from '../machine/processes.ts'
import { nodeScript } from '../machine/scripts.ts'
import type { Clock } from './clock.ts'
import { nextPort } from './ports.ts'

export type Sidecar = {
  /** Address of the upstream on the shared listener. */
  readonly url: string
  /** Stops the process, as a starved machine would. */
  pause(seconds: number): Promise<void>
  stop(): Promise<void>
}

/** Longest time that a sidecar may take to be ready. */
const READY_WITHIN_MS = 30_000

/**
 * A sidecar on its defaults. Only the addresses of its listeners and its store are given: several run side by side.
 * @param root of the checkout whose sidecar it is.
 * @param ca file of the authority that the upstream's certificate is from.
 */
export async function startSidecar({ processes, root, folder, clock, upstreams, ca }: Place): Promise<Sidecar> {
  const [port, controlPort] = [await nextPort(), await nextPort()]
  const file = join(folder, `sidecar-${port}.yaml`)
  writeFileSync(
    file,
    `listen: 127.0.0.1:${port}
control: { listen: '127.0.0.1:${controlPort}' }
checkpoints: { store: 'memory:' }
upstreams:
  a:
    ${upstreams.length === 1 ? `url: ${upstreams[0]}` : `urls: [${upstreams.join(', ')}]`}
${ca === undefined ? '' : `    tls: { ca: '${ca}' }\n`}`,
  )
  const program = pathToFileURL(join(root, 'bin/breakwater.js')).href
  const child = processes.start(nodeScript(program, 'run', '--config', file))
  const startedAt = performance.now()
  while (!(await isReady(controlPort))) {
    const failure = child.failure()
    if (failure !== undefined) throw new Error(`the sidecar ${failure}`)
    if (performance.now() - startedAt > READY_WITHIN_MS) throw new Error('the sidecar is not ready')
    await wait(50)
  }
  return {
    url: `http://127.0.0.1:${port}/a`,
    pause: async (seconds) => {
      process.kill(child.pid, 'SIGSTOP')
      await clock.sleep(seconds)
      process.kill(child.pid, 'SIGCONT')
    },
    stop: child.stop,
  }
}

type Place = {
  readonly processes: Processes
  readonly root: string
  readonly folder: string
  readonly clock: Clock
  readonly upstreams: readonly string[]
  readonly ca: string | undefined
}

async function isReady(controlPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${controlPort}/readyz`)).ok
  } catch {
    return false
  }
}

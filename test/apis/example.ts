/** The sidecar of an example file. Only addresses differ from what a user runs: the upstreams', by the file's own variables, and free ports. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../src/clock.ts'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import { type Sidecar, startLoaded } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const FOLDER = join(import.meta.dirname, '../../config/examples/apis')
const ANYWHERE = { host: '127.0.0.1', port: 0 }

/** @param change what a test needs otherwise than the file says. */
export function exampleSidecar(
  t: Scope,
  clock: Clock,
  name: string,
  env: Readonly<Record<string, string>>,
  change: (config: Config) => Config = (config) => config,
): Promise<Sidecar> {
  const loaded = loadConfig(readFileSync(join(FOLDER, `${name}.yaml`), 'utf8'), `${name}.yaml`, env)
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const { config } = loaded
  const moved: Config = {
    ...config,
    listen: undefined,
    control: { ...config.control, listen: ANYWHERE },
    checkpoints: { ...config.checkpoints, store: { kind: 'memory' } },
    upstreams: config.upstreams.map((upstream) => ({ ...upstream, listen: ANYWHERE })),
  }
  return startLoaded(t, { ...loaded, config: change(moved) }, { clock })
}

/** Waits of milliseconds in the place of seconds, for tests on the system's clock. Nothing is paced. */
export function hurried(config: Config): Config {
  return {
    ...config,
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      rate: false,
      retry: { ...upstream.retry, backoff: { ...upstream.retry.backoff, initialMs: 20 } },
      routes: upstream.routes.map((route) => ({
        ...route,
        retry: { ...route.retry, backoff: { ...route.retry.backoff, initialMs: 20 } },
        hold: route.hold && { ...route.hold, everyMs: 20 },
      })),
    })),
  }
}

/** Waits for the store, whose own time-out is as long as a back-off: `elapse` would take the one for the other. */
export async function stored(clock: FakeClock): Promise<void> {
  while (clock.pending().includes(2_000)) await turn()
}

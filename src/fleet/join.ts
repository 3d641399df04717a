import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Config } from '../config/schema.ts'
import type { Deps } from '../deps.ts'
import { readTls } from '../net/tls/files.ts'
import type { PeerNews } from '../peers.ts'
import type { Fleet } from './fleet.ts'

/**
 * Makes the fleet of a configuration; call `begin` once the data plane can hear. The client of Redis is loaded only then.
 * @returns undefined without `fleet`.
 * @throws Error naming the key of a file that cannot be read.
 */
export async function fleetOf(
  { fleet }: Config,
  hear: (news: PeerNews) => void,
  deps: Deps,
): Promise<Fleet | undefined> {
  if (fleet === false || fleet.redis === false) return undefined
  const { redis, name, pods } = fleet
  const tls = readTls('fleet.tls', fleet.tls, (path) => readFileSync(path, 'utf8'))
  const made = await import('./fleet.ts')
  return new made.Fleet({ redis, name, pods, tls, host: hostname() }, hear, deps)
}

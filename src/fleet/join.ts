import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Config } from '../config/schema.ts'
import type { Deps } from '../deps.ts'
import { assertCertificate } from '../net/trust.ts'
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
  const { redis, name, pods, tls } = fleet
  const read = (setting: 'ca' | 'cert' | 'key') =>
    tls[setting] === '' ? '' : named(setting, () => readFileSync(tls[setting], 'utf8'))
  const texts = { ca: read('ca'), cert: read('cert'), key: read('key') }
  named('cert', () => assertCertificate(texts))
  const made = await import('./fleet.ts')
  const settings = { redis, name, pods, tls: { ...texts, servername: tls.servername }, host: hostname() }
  return new made.Fleet(settings, hear, deps)
}

/** Calls a function. @throws Error that begins with the key of the configuration. */
function named<R>(setting: string, run: () => R): R {
  try {
    return run()
  } catch (error) {
    throw new Error(`fleet.tls.${setting}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

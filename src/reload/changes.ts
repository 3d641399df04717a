/** Differences between two configurations, and the part of a new one that can come into force without a restart. */

import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/schema.ts'
import type { ConfigChanges } from '../events.ts'

export const NO_CHANGES: ConfigChanges = { added: [], removed: [], changed: [], keys: [] }

export function changesBetween(before: Config, after: Config): ConfigChanges {
  const known = new Map(before.upstreams.map((upstream) => [upstream.name, upstream]))
  const wanted = new Set(after.upstreams.map(({ name }) => name))
  const isChanged = ({ name }: { readonly name: string }, i: number) =>
    known.has(name) && !isDeepStrictEqual(known.get(name), after.upstreams[i])
  return {
    added: after.upstreams.filter(({ name }) => !known.has(name)).map(({ name }) => name),
    removed: before.upstreams.filter(({ name }) => !wanted.has(name)).map(({ name }) => name),
    changed: after.upstreams.filter(isChanged).map(({ name }) => name),
    keys: topKeys(after).filter((key) => !isDeepStrictEqual(before[key], after[key])),
  }
}

/** Every configuration has all of them. */
const topKeys = (config: Config) => (Object.keys(config) as (keyof Config)[]).filter((key) => key !== 'upstreams')

/** Settings that live as long as the process: control listeners, store, names in log and metrics, tracing. */
const FIXED: readonly (readonly [key: string, of: (config: Config) => unknown])[] = [
  ['service', ({ service }) => service],
  ['control.listen', ({ control }) => control.listen],
  ['control.metricsListen', ({ control }) => control.metricsListen],
  ['checkpoints.store', ({ checkpoints }) => checkpoints.store],
  ['checkpoints.tls', ({ checkpoints }) => checkpoints.tls],
  ['checkpoints.ttl', ({ checkpoints }) => checkpoints.ttl],
  ['checkpoints.maxItems', ({ checkpoints }) => checkpoints.maxItems],
  ['tracing', ({ tracing }) => tracing],
  ['fleet', ({ fleet }) => fleet],
]

/** Changed keys that need a restart. */
export const restartNeeded = (started: Config, wanted: Config): string[] =>
  FIXED.filter(([, of]) => !isDeepStrictEqual(of(started), of(wanted))).map(([key]) => key)

/** The new configuration, with the started one's values where those cannot change. */
export function applicable(started: Config, wanted: Config): Config {
  const { service, tracing, fleet } = started
  const { listen, metricsListen } = started.control
  const { store, tls, ttl, maxItems } = started.checkpoints
  return {
    ...wanted,
    service,
    tracing,
    fleet,
    control: { ...wanted.control, listen, metricsListen },
    checkpoints: { ...wanted.checkpoints, store, tls, ttl, maxItems },
  }
}

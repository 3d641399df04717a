/** File descriptors of the process, and how many client connections fit into them. */

import { readdirSync, readFileSync } from 'node:fs'

/** Descriptors reserved for the control listener, the store, health checks, body files and the like. */
const RESERVED = { share: 1 / 4, most: 256 }
/** A request may need a connection to its upstream besides its client's. */
const FOR_EACH_CLIENT = 2

/** Limit of open descriptors, from /proc (Linux). @returns undefined where it cannot be read. */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft)
  } catch {
    return undefined // no /proc: another system than Linux
  }
}

/** Descriptors that are open now. */
export function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0 // no /proc: another system than Linux
  }
}

/**
 * Client connections for which there are descriptors. A quarter of the free ones, 256 at most, is reserved; clients and
 * upstreams share the rest. 1024 with 30 open at the start gives 373.
 * @param limit of the process; undefined when unknown: then there is no bound.
 */
export function connectionsWithin(limit: number | undefined, open: number): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  const free = Math.max(0, limit - open)
  const reserved = Math.min(RESERVED.most, Math.ceil(free * RESERVED.share))
  return Math.max(1, Math.floor((free - reserved) / FOR_EACH_CLIENT))
}

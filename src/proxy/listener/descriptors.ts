/** File descriptors of the process: how many there are, and how many connections of clients fit in. */

import { readdirSync, readFileSync } from 'node:fs'

/** Kept for the control listener, the store, health checks, files of bodies and whatever else needs one for a moment. */
const RESERVED = { share: 1 / 4, most: 256 }
/** A request may need a connection to its upstream beside that of its client. */
const FOR_EACH_CLIENT = 2

/** The most that the process may have open, from /proc (Linux). @returns undefined where that cannot be told. */
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
 * Connections of clients for which there are descriptors: of those that are not open at the start a quarter, 256 at the
 * most, is reserved; the rest is shared by clients and upstreams. With 1024 and 30 open at the start that makes 373.
 * @param limit of the process; undefined when it is not known: then nothing is bounded here.
 */
export function connectionsWithin(limit: number | undefined, open: number): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  const free = Math.max(0, limit - open)
  const reserved = Math.min(RESERVED.most, Math.ceil(free * RESERVED.share))
  return Math.max(1, Math.floor((free - reserved) / FOR_EACH_CLIENT))
}

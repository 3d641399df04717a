export type BodyLimits = {
  /** Bytes kept in memory. */
  readonly memory: number
  /** Bytes kept on disk beyond those. */
  readonly disk: number
}

/** Bytes of request bodies that are kept for a retry, of all requests together, and their limits. */
export type KeptBytes = { memory: number; disk: number; readonly limits: () => BodyLimits }

export type KeptPlace = 'memory' | 'disk'

/** Reserves room for some bytes. @returns false, and reserves nothing, when the total has no room. */
export function takeRoom(kept: KeptBytes, place: KeptPlace, bytes: number): boolean {
  if (kept[place] + bytes > kept.limits()[place]) return false
  kept[place] += bytes
  return true
}

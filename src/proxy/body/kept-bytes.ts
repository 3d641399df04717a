export type BodyLimits = {
  /** Bytes kept in memory. */
  readonly memory: number
  /** Bytes kept on disk beyond those. */
  readonly disk: number
}

/** Bytes of request bodies that are kept for a repetition now, all requests together, and how many there may be. */
export type KeptBytes = { memory: number; disk: number; readonly limits: () => BodyLimits }

export type KeptPlace = 'memory' | 'disk'

/** Takes room for some bytes. @returns false, and takes none, where the total leaves no room. */
export function takeRoom(kept: KeptBytes, place: KeptPlace, bytes: number): boolean {
  if (kept[place] + bytes > kept.limits()[place]) return false
  kept[place] += bytes
  return true
}

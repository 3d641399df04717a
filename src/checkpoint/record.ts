/** A checkpoint: the finished items of a stage, in the format of make-video's own manager. */

/** Exactly these seven fields: readers of the existing service fail on any other. */
export type Checkpoint = {
  readonly stage: string
  /** completed_items / total_items; 0 when the total is 0. */
  readonly progress: number
  readonly completed_items: number
  readonly total_items: number
  /** Finished items in the order in which clients reported them. */
  readonly item_ids: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  /** Time of the save, ISO 8601 in UTC. */
  readonly timestamp: string
}

/** A stored checkpoint, with its revision, attempt and expiry. */
export type StoredCheckpoint = {
  readonly job: string
  readonly checkpoint: Checkpoint
  /** Grows by one with each save of the job, from 1. */
  readonly revision: number
  /** Highest attempt number that has written. An older one is refused. */
  readonly attempt: number
  /** Wall-clock ms since the Unix epoch. */
  readonly expiresAt: number
}

/** `.` and `..` are not accepted: as a path segment a client resolves them (RFC 3986 section 5.2.4). */
export const JOB_ID = /^(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}$/
export const STAGE = /^[a-z0-9_]{1,64}$/

export const progressOf = (completed: number, total: number) => (total > 0 ? completed / total : 0)

/** Items to add to the set of a stage. */
export type Append = {
  readonly stage: string
  readonly itemIds: readonly string[]
  /** undefined leaves the total as it was. */
  readonly totalItems: number | undefined
  /** Merged key by key into the existing metadata; undefined leaves it. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined
}

/**
 * The checkpoint after an append: a set union, so that an item that is reported twice counts once. A new stage starts with an
 * empty set.
 * @param current checkpoint of the same stage; undefined without one.
 */
export function appended(current: Checkpoint | undefined, append: Append, timestamp: string): Checkpoint {
  const known = new Set(current?.item_ids)
  const itemIds = [...(current?.item_ids ?? [])]
  for (const id of append.itemIds) {
    if (known.has(id)) continue
    known.add(id)
    itemIds.push(id)
  }
  const total = append.totalItems ?? current?.total_items ?? 0
  return {
    stage: append.stage,
    progress: progressOf(itemIds.length, total),
    completed_items: itemIds.length,
    total_items: total,
    item_ids: itemIds,
    metadata: { ...current?.metadata, ...append.metadata },
    timestamp,
  }
}

/** An item as its id, or as an object that has the id. */
export type Item = string | Readonly<Record<string, unknown>>

/** Unfinished items in order. An object without an id under that key counts as unfinished. */
export function remaining(checkpoint: Checkpoint | undefined, items: readonly Item[], idKey: string): Item[] {
  const finished = new Set(checkpoint?.item_ids)
  return items.filter((item) => {
    const id = typeof item === 'string' ? item : item[idKey]
    return id === undefined || !finished.has(String(id))
  })
}

/** Whether to save: at every multiple of `interval` finished items, including 0, and at the end. */
export const isDue = (completed: number, total: number, interval: number) =>
  completed % interval === 0 || completed === total

/** Fields in the order of the existing service: item ids and metadata come after the counts. */
export const inOrder = (checkpoint: Checkpoint): Checkpoint => ({
  stage: checkpoint.stage,
  progress: checkpoint.progress,
  completed_items: checkpoint.completed_items,
  total_items: checkpoint.total_items,
  item_ids: checkpoint.item_ids,
  metadata: checkpoint.metadata,
  timestamp: checkpoint.timestamp,
})

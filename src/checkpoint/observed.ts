import type { Clock, Timer } from '../clock.ts'
import type { StoredCheckpoint } from './record.ts'
import { type CheckpointStore, StoreDown, type Written } from './store.ts'

export type StoreWatcher = {
  /** A call ended. `isDown`: the store could not serve it. */
  readonly called: (operation: keyof CheckpointStore, isDown: boolean, durationMs: number) => void
  /** The store's first state, and each change of it. @param error that made it fail. */
  readonly turned: (isUp: boolean, error: unknown) => void
  /** A checkpoint was written: the record now. */
  readonly saved: (record: StoredCheckpoint) => void
  /** Called with errors of `saved`, which do not affect the call that wrote the checkpoint. */
  readonly fault: (error: unknown) => void
}

/** Interval in ms at which a store that is down is tried: without it nobody might call. */
const PROBE_MS = 2_000
/** Operations that a store which cannot write still serves. */
const READS: ReadonlySet<string> = new Set(['load', 'stages', 'list', 'progress', 'findJob', 'jobs'])

/**
 * Wraps a store so that its calls and changes of state are reported. One that reads but cannot write (a full disk, a full Redis) is down until it
 * writes again.
 * @param newId a value that no other sidecar uses.
 */
export function observed(
  store: CheckpointStore,
  clock: Clock,
  newId: () => string,
  watcher: StoreWatcher,
): CheckpointStore {
  let isUp: boolean | undefined
  /** Whether the last write failed: a read that succeeds proves nothing then. */
  let isUnwritable = false
  let probe: Timer | undefined
  let isClosed = false

  const turn = (up: boolean, error: unknown): void => {
    if (isUp !== up) watcher.turned(up, error)
    isUp = up
    if (up) isUnwritable = false
    if (!up && !isClosed) probe ??= clock.after(PROBE_MS, look)
  }

  const look = (): void => {
    probe = undefined
    store.probe(newId()).then(
      () => turn(true, undefined),
      (failure: unknown) => turn(false, failure),
    )
  }

  /** @param tellsState false for the history: trouble with it says nothing about checkpoints, and is a reason to look. */
  const watched =
    <A extends unknown[], R>(operation: keyof CheckpointStore, call: (...args: A) => Promise<R>, tellsState = true) =>
    async (...args: A): Promise<R> => {
      const startedAt = clock.now()
      try {
        const result = await call(...args)
        watcher.called(operation, false, clock.now() - startedAt)
        if (!READS.has(operation)) isUnwritable = false
        if (tellsState && !isUnwritable) turn(true, undefined)
        return result
      } catch (error) {
        const isDown = error instanceof StoreDown
        watcher.called(operation, isDown, clock.now() - startedAt)
        if (isDown && tellsState) {
          if (!READS.has(operation)) isUnwritable = true
          turn(false, error)
        }
        if (isDown && !tellsState && isUp === true && !isClosed) look()
        throw error
      }
    }

  return {
    isShared: store.isShared,
    save: watched('save', telling(store.save, watcher)),
    append: watched('append', telling(store.append, watcher)),
    load: watched('load', store.load),
    stages: watched('stages', store.stages),
    clear: watched('clear', store.clear),
    list: watched('list', store.list),
    progress: watched('progress', store.progress),
    registerJob: watched('registerJob', store.registerJob),
    saveJob: watched('saveJob', store.saveJob),
    findJob: watched('findJob', store.findJob),
    removeJob: watched('removeJob', store.removeJob),
    jobs: watched('jobs', store.jobs),
    saveHistory: watched('saveHistory', store.saveHistory, false),
    history: watched('history', store.history, false),
    probe: watched('probe', store.probe),
    risk: store.risk,
    close: () => {
      isClosed = true
      if (probe !== undefined) clock.cancel(probe)
      return store.close()
    },
  }
}

/** Tells of each checkpoint that a call writes. */
const telling =
  <A extends unknown[]>(write: (...args: A) => Promise<Written>, watcher: StoreWatcher) =>
  async (...args: A): Promise<Written> => {
    const written = await write(...args)
    try {
      if (written.outcome === 'saved') watcher.saved(written.record)
    } catch (error) {
      watcher.fault(error)
    }
    return written
  }

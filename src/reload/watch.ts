/** Notices changes of a file, by events where there are any, by checking each second where not. */

import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from '../clock.ts'

const LOOK_EVERY_MS = 1_000
/** Time in ms for which a changed file must be stable: editors write in several steps. */
const SETTLE_MS = 100
/** Some file systems have change times of two seconds: such a recent time may hide another change. */
const COARSEST_MS = 3_000

/** Calls back at each event in a folder. */
export type FolderEvents = (folder: string, onEvent: () => void, onFault: (error: unknown) => void) => { close(): void }

/**
 * Watches folders instead of the file: a watch on a file ends when another file takes its name, as atomic writes and Kubernetes
 * ConfigMaps do. Watches the folder of the name, and that of the file behind a link.
 * @param onChange may also be called without a change: contents are not compared here.
 * @param onFault called once with the reason why a folder cannot be watched; checking goes on.
 */
export function watchFile(
  file: string,
  onChange: () => void,
  onFault: (error: unknown) => void,
  clock: Clock,
  events: FolderEvents = folderEvents,
): { close(): void } {
  const watch = new FileWatch(file, onChange, onFault, clock, events)
  watch.begin()
  return watch
}

class FileWatch {
  readonly #file: string
  readonly #onChange: () => void
  readonly #onFault: (error: unknown) => void
  readonly #clock: Clock
  readonly #events: FolderEvents
  readonly #folders = new Map<string, { close(): void }>()
  /** The last reported state, and the last seen one, which must become stable first. */
  #reported = ''
  #seen = ''
  #poll: Timer | undefined
  #settling: Timer | undefined
  #isLooking = false
  #isClosed = false
  #isFaulty = false

  constructor(
    file: string,
    onChange: () => void,
    onFault: (error: unknown) => void,
    clock: Clock,
    events: FolderEvents,
  ) {
    this.#file = file
    this.#onChange = onChange
    this.#onFault = onFault
    this.#clock = clock
    this.#events = events
  }

  begin(): void {
    void this.#look()
    this.#pollLater()
  }

  close(): void {
    this.#isClosed = true
    if (this.#poll !== undefined) this.#clock.cancel(this.#poll)
    if (this.#settling !== undefined) this.#clock.cancel(this.#settling)
    for (const folder of this.#folders.values()) folder.close()
    this.#folders.clear()
  }

  #pollLater(): void {
    this.#poll = this.#clock.after(LOOK_EVERY_MS, () => {
      void this.#look().then(() => {
        if (!this.#isClosed) this.#pollLater()
      })
    })
  }

  #lookSoon(): void {
    this.#settling = this.#clock.after(SETTLE_MS, () => {
      this.#settling = undefined
      void this.#look()
    })
  }

  /** Does nothing when a check is under way or due. */
  async #look(): Promise<void> {
    if (this.#isLooking || this.#settling !== undefined) return
    this.#isLooking = true
    const { state, changedAt } = await stateOf(this.#file)
    await this.#follow()
    this.#isLooking = false
    if (this.#isClosed || state === this.#reported) return
    if (state !== this.#seen) {
      this.#seen = state
      return this.#lookSoon()
    }
    this.#reported = this.#clock.wallNow() - changedAt < COARSEST_MS ? '' : state
    this.#seen = ''
    this.#onChange()
  }

  /** Watches the present folders of the file. */
  async #follow(): Promise<void> {
    const behind = await realpath(this.#file).catch(() => this.#file)
    if (this.#isClosed) return
    const wanted = new Set([dirname(this.#file), dirname(behind)])
    for (const [folder, watched] of this.#folders) {
      if (wanted.has(folder)) continue
      watched.close()
      this.#folders.delete(folder)
    }
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#folders.set(folder, this.#watch(folder))
  }

  #watch(folder: string): { close(): void } {
    return this.#events(
      folder,
      () => void this.#look(),
      (error) => {
        if (!this.#isFaulty) this.#onFault(error)
        this.#isFaulty = true
      },
    )
  }
}

/** State of a file that shows a change without reading it. Links are followed. */
async function stateOf(file: string): Promise<{ readonly state: string; readonly changedAt: number }> {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file)
    return { state: [dev, ino, size, mtimeMs, ctimeMs].join(' '), changedAt: Math.max(mtimeMs, ctimeMs) }
  } catch (error) {
    // Being unreadable is a state, too: the next read reports why.
    return { state: String(error), changedAt: Number.NEGATIVE_INFINITY }
  }
}

const folderEvents: FolderEvents = (folder, onEvent, onFault) => {
  try {
    const watcher: FSWatcher = watch(folder, { persistent: false }, onEvent)
    watcher.on('error', (error) => {
      watcher.close()
      onFault(error)
    })
    return watcher
  } catch (error) {
    onFault(error)
    return { close: () => {} }
  }
}

/** Looks at the free space now and then, so that a full disk is known although nobody asks for `/health`. */

import type { Clock } from '../../clock.ts'
import type { Emit } from '../../events.ts'
import { type DiskSettings, lookAtDisk } from './disk.ts'

/** Ticks of a second between two looks. */
const EVERY_S = 30

/** Emits each change. @param settings of the present configuration. @returns ends the watch. */
export function watchDisk(settings: () => DiskSettings, clock: Clock, emit: Emit): () => void {
  let isEnough = true
  let isLooking = false
  let ticks = 0
  const tell = (now: boolean, details: string) => {
    if (isEnough !== now) emit({ kind: 'disk', isEnough: now, details })
    isEnough = now
  }
  const look = async () => {
    isLooking = true
    await lookAtDisk(settings()).then(
      (details) => tell(true, details),
      (error: unknown) => tell(false, error instanceof Error ? error.message : String(error)),
    )
    isLooking = false
  }
  return clock.everySecond(() => {
    ticks += 1
    if (ticks % EVERY_S === 1 && !isLooking) void look()
  })
}

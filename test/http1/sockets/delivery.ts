/** Bytes over a real connection, in pieces that the other side has read one by one. */

import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'

/** Time in ms of the real clock after which a side that does not go on hangs. */
const HANGS_MS = 10_000

/** Turns of the event loop in which a side does what it will do with what it has read. */
const SETTLED_TURNS = 3

/** Lets the event loop turn until it holds. @returns whether it came to hold. */
export async function turnUntil(holds: () => boolean): Promise<boolean> {
  const since = performance.now()
  while (!holds()) {
    if (performance.now() - since > HANGS_MS) return false
    await setImmediate()
  }
  return true
}

/** Lets both sides do what they will do with what they have read. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < SETTLED_TURNS; turn += 1) await setImmediate()
}

/** Writes each piece once the ones before it were read, and returns when the last one was, or the reader is gone. */
export async function deliver(pieces: readonly Buffer[], from: Socket, to: Socket): Promise<void> {
  let due = to.bytesRead
  for (const piece of pieces) {
    if (to.destroyed || from.destroyed) return
    from.write(piece)
    due += piece.length
    await turnUntil(() => to.bytesRead >= due || to.destroyed || to.isPaused())
  }
}

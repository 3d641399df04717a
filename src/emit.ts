import type { Emit } from './policy/events.ts'

/** Tells each of the folds. A throw of one costs the others nothing and is told to all as a fault, once. */
export function emitTo(folds: readonly Emit[]): Emit {
  const emit: Emit = (event) => {
    for (const fold of folds) {
      try {
        fold(event)
      } catch (error) {
        if (event.kind !== 'fault' || event.where !== 'observer') emit({ kind: 'fault', error, where: 'observer' })
      }
    }
  }
  return emit
}

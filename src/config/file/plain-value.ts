/** A document as plain values, within bounds: a file comes from anywhere. */

import type { Source } from './source.ts'

/** Largest file. No person writes a larger one, and parsing takes time. */
export const MAX_BYTES = 128 * 1024
/** Largest number of repetitions of an anchor: enough for people, too few for a bomb. */
const MAX_ALIASES = 100
/** Largest number of values, with maps, lists, and those that anchors repeat. Keys do not count. */
const MAX_VALUES = 20_000

/** The document as plain values; an Error when its anchors cannot be resolved (too many, or in a circle). */
export function plainValue({ document }: Source): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return isLarge(value) ? new Error(`has more than ${MAX_VALUES} values`) : value
  } catch (cause) {
    return new Error('repeats what an anchor stands for too often, or within itself', { cause })
  }
}

function isLarge(value: unknown): boolean {
  const left = [value]
  for (let count = 0; left.length > 0; count += 1) {
    if (count > MAX_VALUES) return true
    const one = left.pop()
    if (typeof one === 'object' && one !== null) for (const inner of Object.values(one)) left.push(inner)
  }
  return false
}

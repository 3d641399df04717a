/** Groups of an upstream's paths whose calls are alike, and what is known of each. */

import { freshLatencies, type Latencies } from '../observe/latencies.ts'
import type { Pauses } from './pause.ts'

/** The calls of a declared route, or of a method and a path up to its first id. */
export type PathGroup = {
  readonly key: string
  /** Time to the response head. */
  readonly latencies: Latencies
  /** Times for which the upstream asked to be left alone. */
  readonly pauses: Pauses
  /** Monotonic ms until which its calls count as slow: none of their attempts is cut at `attempt`. Set by the retry policy. */
  slowUntil: number
}

/** Groups without a route of their own, by key; the one used last stands last. */
export type PathGroups = Map<string, PathGroup>

/** Largest number of groups where no route is declared. */
const MAX_GROUPS = 64

export const freshGroup = (key: string): PathGroup => ({
  key,
  latencies: freshLatencies(),
  pauses: new Map(),
  slowUntil: 0,
})

/** Key of the group of a request that matches no route. */
export const undeclaredKey = (method: string, path: string): string => `${method} ${beforeId(path)}`

/** The group of a request that matches no route. */
export function undeclaredGroup(groups: PathGroups, method: string, path: string): PathGroup {
  const key = undeclaredKey(method, path)
  const known = groups.get(key)
  // While there is room for many more, the order does not matter.
  if (known !== undefined && groups.size < MAX_GROUPS / 2) return known
  return addGroup(groups, key)
}

/** The group of that key, as the one that was used last. The group whose use is longest ago makes room. */
export function addGroup(groups: PathGroups, key: string): PathGroup {
  const found = groups.get(key) ?? freshGroup(key)
  groups.delete(key)
  groups.set(key, found)
  const [oldest] = groups.keys()
  if (groups.size > MAX_GROUPS && oldest !== undefined) groups.delete(oldest)
  return found
}

/** Longest segment that is taken for a word. */
const LONGEST_WORD = 40

/** Whether a segment names one thing: it has a digit and is no version (`v1`), or is too long for a word. */
const isId = (segment: string) =>
  segment.length > LONGEST_WORD || (/\d/.test(segment) && !/^v\d+(?:\.\d+)*$/i.test(segment))

/** Whether every segment of a path is a word. */
const hasWordsOnly = (path: string) => path.length <= LONGEST_WORD && !/\d/.test(path)

function beforeId(path: string): string {
  if (hasWordsOnly(path)) return path
  const segments = path.split('/')
  const at = segments.findIndex(isId)
  return at < 0 ? path : segments.slice(0, at).join('/')
}

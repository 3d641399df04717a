/** Reads the rest of a file with faults, so that conflicts are reported together with them. */

import type { z } from 'zod'
import type { Conflict } from '../policy/scope.ts'
import { FILE } from './schema.ts'
import { isMap } from './kinds/setting.ts'
import type { Path } from './file/source.ts'

type Pruned = {
  readonly raw: unknown
  readonly parsed: z.infer<typeof FILE>
  /** Paths that were removed. */
  readonly removed: readonly Path[]
}

/** Largest number of rounds: a missing value removes its parent, which may be required, too. */
const ROUNDS = 4

/** The file without the values that the schema rejects; undefined when nothing sound is left. */
export function pruned(raw: unknown, error: z.ZodError): Pruned | undefined {
  const rest: unknown = structuredClone(raw)
  const removed: Path[] = []
  let { issues } = error
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const path of issues.flatMap(pathsOf)) removed.push(remove(rest, path))
    const parsed = FILE.safeParse(rest)
    if (parsed.success) return { raw: rest, parsed: parsed.data, removed }
    issues = parsed.error.issues
  }
  return undefined
}

/** Whether a conflict may only exist because a value was removed and a default replaces it. */
export function isDoubtful({ path, message }: Conflict, removed: readonly Path[]): boolean {
  const near = path.slice(-2)
  const isOfName = message.startsWith('no such')
  return removed.some(
    (gone) =>
      gone.some((key) => near.includes(key)) ||
      (isOfName && (gone[0] === 'job' || gone[0] === 'timeouts' || gone.length < 3)),
  )
}

const pathsOf = (issue: z.core.$ZodIssue): Path[] =>
  issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]

/** Removes a value, or its nearest parent. A list is removed whole, since its other members must keep their indices. */
function remove(root: unknown, path: Path): Path {
  const holders = [root]
  for (const key of path.slice(0, -1)) holders.push(inside(holders.at(-1), key))
  for (let depth = path.length - 1; depth >= 0; depth -= 1) {
    const holder = holders[depth]
    const key = String(path[depth])
    if (isMap(holder) && Object.hasOwn(holder, key)) {
      Reflect.deleteProperty(holder, key)
      return path.slice(0, depth + 1)
    }
  }
  return []
}

function inside(value: unknown, key: PropertyKey): unknown {
  if (Array.isArray(value)) return value[Number(key)]
  return isMap(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined
}

/** What a file says beside its faults: so that settings which do not go together are told of in the same breath. */

import type { z } from 'zod'
import type { Conflict } from '../policy/scope.ts'
import { FILE } from './schema.ts'
import { isMap } from './kinds/setting.ts'
import type { Path } from './file/source.ts'

type Pruned = {
  readonly raw: unknown
  readonly said: z.infer<typeof FILE>
  /** What was taken out. */
  readonly removed: readonly Path[]
}

/** What is missing takes its parent with it, and that may have to be there, too. */
const ROUNDS = 4

/** The file without the values that its schema refuses; undefined where nothing sound is left. */
export function pruned(raw: unknown, error: z.ZodError): Pruned | undefined {
  const rest: unknown = structuredClone(raw)
  const removed: Path[] = []
  let { issues } = error
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const path of issues.flatMap(pathsOf)) removed.push(remove(rest, path))
    const said = FILE.safeParse(rest)
    if (said.success) return { raw: rest, said: said.data, removed }
    issues = said.error.issues
  }
  return undefined
}

/** Whether a conflict may be one only because something was taken out, and a default stands in for it. */
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

/** Takes a value out, or what of its surroundings is there; a list goes whole, since its other members keep their places. */
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

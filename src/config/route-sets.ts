/** Route sets: lists of routes that several upstreams use, put in place before the schema reads the file. */

import type { Conflict } from '../policy/scope.ts'
import type { Path } from './file/source.ts'
import { isMap } from './kinds/setting.ts'

export type Expanded = {
  /** The file's values, in which each `{ use: name }` is replaced by the routes of that set. */
  readonly raw: unknown
  /** Uses of sets that are not there, and sets that no upstream uses: nothing would check those. */
  readonly faults: readonly Conflict[]
  /** The place in the file of a path into `raw`. */
  readonly writtenAt: (path: Path) => Path
}

/** Paths of an upstream's routes in the file, in their order in `raw`. */
type Places = ReadonlyMap<string, readonly Path[]>

/** The file's values without blocks that are only there to be merged (`x-*`), and with its route sets in place. */
export function expandRouteSets(file: unknown): Expanded {
  if (!isMap(file)) return { raw: file, faults: [], writtenAt: (path) => path }
  const own = Object.fromEntries(Object.entries(file).filter(([key]) => !key.startsWith('x-')))
  const sets = isMap(own.routeSets) ? own.routeSets : {}
  if (!isMap(own.upstreams)) return { raw: own, faults: [], writtenAt: (path) => path }
  const places = new Map<string, readonly Path[]>()
  const faults: Conflict[] = []
  const used = new Set<string>()
  const upstreams = Object.entries(own.upstreams).map(([name, upstream]) => {
    if (!isMap(upstream) || !Array.isArray(upstream.routes)) return [name, upstream] as const
    const routes = upstream.routes.flatMap((entry: unknown, i) => {
      const at: Path = ['upstreams', name, 'routes', i]
      const set = setUsedBy(entry)
      if (set === undefined) return [{ entry, at }]
      used.add(set)
      const members = Object.hasOwn(sets, set) ? sets[set] : undefined
      if (members === undefined) faults.push({ path: [...at, 'use'], message: unknownSet(Object.keys(sets)) })
      const list: readonly unknown[] = Array.isArray(members) ? members : []
      return list.map((member, j) => ({ entry: member, at: ['routeSets', set, j] }))
    })
    places.set(
      name,
      routes.map(({ at }) => at),
    )
    return [name, { ...upstream, routes: routes.map(({ entry }) => entry) }] as const
  })
  const unused = Object.keys(sets).filter((name) => !used.has(name))
  faults.push(...unused.map((name) => ({ path: ['routeSets', name], message: 'no upstream uses this set' })))
  return {
    raw: { ...own, upstreams: Object.fromEntries(upstreams) },
    faults,
    writtenAt: (path) => writtenAt(path, places),
  }
}

/** The name in an entry `{ use: name }`; undefined for a route. */
const setUsedBy = (entry: unknown): string | undefined =>
  isMap(entry) && Object.keys(entry).length === 1 && typeof entry.use === 'string' ? entry.use : undefined

const unknownSet = (names: readonly string[]) =>
  names.length === 0 ? 'there are no routeSets in this file' : `no such set in routeSets: ${names.join(', ')}`

function writtenAt(path: Path, places: Places): Path {
  const [first, name, routes, i, ...inner] = path
  if (first !== 'upstreams' || routes !== 'routes' || i === undefined) return path
  const at = places.get(String(name))?.[Number(i)]
  return at === undefined ? path : [...at, ...inner]
}

/** Places of the settings in force: at the route, its upstream or the defaults; none for a default of the code. */

import { expandRouteSets } from '../route-sets.ts'
import { type Path, type Place, Source } from './source.ts'

/** Levels of a setting. The nearest one to the request applies. */
export type Level = 'file' | 'defaults' | 'upstream' | 'route'

export type Origin = Place & {
  /** Path of the setting in the file, e.g. `defaults.timeout.total` for that of a route. */
  readonly path: Path
  readonly level: Level
  /** The whole line of the file. */
  readonly source: string
}

export type Origins = {
  readonly file: string
  /** @param path of a setting with the file's keys; undefined for a default. */
  readonly of: (path: Path) => Origin | undefined
  /** The file's text of a setting's value, before references are replaced; undefined for a default. */
  readonly textOf: (path: Path) => string | undefined
}

export function originsIn(source: Source, file: string): Origins {
  const found = (path: Path) => pathsOf(path).find((candidate) => source.has(candidate))
  const of = (asked: Path) => {
    const path = found(asked)
    if (path === undefined) return undefined
    const place = source.keyAt(path)
    const written = source.pathAt(path)
    return { ...place, path: written, level: levelOf(path), source: source.line(place.line) }
  }
  const textOf = (asked: Path) => {
    const path = found(asked)
    return path === undefined ? undefined : source.textAt(path)
  }
  return { file, of, textOf }
}

/** The origins of a text that is known to be sound. It is parsed at first use, which takes milliseconds. */
export function originsOf(text: string, file: string): Origins {
  let origins: Origins | undefined
  const parsed = () => {
    if (origins === undefined) {
      const source = new Source(text)
      source.rearrange(expandRouteSets(source.document.toJS()).writtenAt)
      origins = originsIn(source, file)
    }
    return origins
  }
  return { file, of: (path) => parsed().of(path), textOf: (path) => parsed().textOf(path) }
}

/** Looks for a setting at the route, then at its upstream, then in the defaults. */
function pathsOf(path: Path): Path[] {
  if (path[0] !== 'upstreams') return [path]
  const upstream = path.slice(0, 2)
  const isOfRoute = path[2] === 'routes' && path.length > 3
  const setting = path.slice(isOfRoute ? 4 : 2)
  const inherited = [
    [...upstream, ...setting],
    ['defaults', ...setting],
  ]
  return isOfRoute && setting.length > 0 ? [path, ...inherited] : [path, ...inherited.slice(1)]
}

function levelOf([first, , third]: Path): Level {
  if (first === 'defaults') return 'defaults'
  if (first !== 'upstreams') return 'file'
  return third === 'routes' ? 'route' : 'upstream'
}

/** Where the settings in force stand: at the route, at its upstream, in the defaults; or nowhere, when the code says them. */

import { type Path, type Place, Source } from './source.ts'

/** How near to the request a setting is said; what is nearer wins. */
export type Level = 'file' | 'defaults' | 'upstream' | 'route'

export type Origin = Place & {
  /** Of the setting as it stands in the file, e.g. `defaults.timeout.total` for that of a route. */
  readonly path: Path
  readonly level: Level
  /** The whole line of the file. */
  readonly source: string
}

export type Origins = {
  readonly file: string
  /** @param path of a setting in the Config's own order of keys; undefined when it has its default. */
  readonly of: (path: Path) => Origin | undefined
}

export function originsIn(source: Source, file: string): Origins {
  const of = (path: Path) => {
    const said = pathsOf(path).find((candidate) => source.has(candidate))
    if (said === undefined) return undefined
    const place = source.keyAt(said)
    return { ...place, path: said, level: levelOf(said), source: source.line(place.line) }
  }
  return { file, of }
}

/** The same for a text that is known to be sound. It is taken apart when it is first asked for, which takes milliseconds. */
export function originsOf(text: string, file: string): Origins {
  let origins: Origins | undefined
  const of = (path: Path) => {
    origins ??= originsIn(new Source(text), file)
    return origins.of(path)
  }
  return { file, of }
}

/** A setting is looked for at the route, then at its upstream, then in the defaults. */
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

/** From the text of a configuration file to a frozen Config, or to every fault that it has. */

import { type ConfigFault, faultAt, schemaFaults } from './faults.ts'
import { type Env, interpolate } from './interpolate.ts'
import { conflicts, resolve } from './resolve.ts'
import { type Config, FILE } from './schema.ts'
import { type Path, Source } from './source.ts'

export type Loaded =
  | { readonly ok: true; readonly config: Config }
  /** In the order of the file. */
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

/** What no hand writes; parsing takes time. */
const MAX_BYTES = 256 * 1024
/** How often the file's anchors may be repeated: enough for people, too few for a bomb. */
const MAX_ALIASES = 100

/**
 * Never throws, whatever the text.
 * @param file its name, for the faults.
 * @param env for `${NAME}`; its values never stand in a fault.
 */
export function loadConfig(text: string, file: string, env: Env): Loaded {
  if (Buffer.byteLength(text) > MAX_BYTES) return faulty([wholeFile(file, `is larger than ${MAX_BYTES / 1024} KiB`)])
  const source = new Source(text)
  const textual = source.faults().map(({ place, message }) => faultAt(place, [], message, undefined, source, file))
  if (textual.length > 0) return faulty(textual)
  const unset = interpolate(source.document, env).map(({ node, message }) =>
    faultAt(source.nodePlace(node), [], message, undefined, source, file),
  )
  const raw = plainValue(source)
  if (raw instanceof Error) return faulty([wholeFile(file, raw.message)])
  const said = FILE.safeParse(raw ?? {})
  if (!said.success) {
    // What is not set is not of the wrong kind, too.
    const isSet = ({ line, column }: ConfigFault) => !unset.some((one) => one.line === line && one.column === column)
    return faulty([...unset, ...schemaFaults(said.error, source, file).filter(isSet)])
  }
  const config = resolve(raw, said.data)
  const clashes = conflicts(config).map(({ path, message }) => {
    const where = sourceOf(path, source)
    return faultAt(source.keyAt(where), where, message, undefined, source, file)
  })
  const faults = [...unset, ...distinct(clashes)]
  return faults.length > 0 ? faulty(faults) : { ok: true, config: frozen(config) }
}

/** Where an inherited setting stands: at the route, at its upstream, or in the defaults. */
function sourceOf(path: Path, source: Source): Path {
  const upstream = path.slice(0, 2)
  const setting = path.slice(path[2] === 'routes' ? 4 : 2)
  const levels = [path, [...upstream, ...setting], ['defaults', ...setting]]
  return levels.find((level) => source.has(level)) ?? path
}

/** One fault in the defaults shows in every upstream. */
function distinct(faults: readonly ConfigFault[]): ConfigFault[] {
  const seen = new Set<string>()
  return faults.filter(({ line, column, message }) => {
    const key = `${line}:${column}:${message}`
    return !seen.has(key) && seen.add(key)
  })
}

function faulty(faults: readonly ConfigFault[]): Loaded {
  return { ok: false, faults: faults.toSorted((a, b) => a.line - b.line || a.column - b.column) }
}

const wholeFile = (file: string, message: string): ConfigFault => ({
  file,
  line: 1,
  column: 1,
  text: '',
  path: '',
  message,
  suggestion: undefined,
  source: '',
})

/** The document as plain values; an Error when its anchors cannot be followed (too many, or in a circle). */
function plainValue({ document }: Source): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}

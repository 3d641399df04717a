/** Loads a configuration: from text to a frozen Config, or to all faults. */

import { type ConfigFault, faultAt, schemaFaults } from './file/faults.ts'
import { excerptAt } from './file/excerpt.ts'
import { type Env, interpolate } from './file/interpolate.ts'
import { type Origins, originsIn } from './file/origins.ts'
import { isMap } from './kinds/setting.ts'
import { isDoubtful, pruned } from './pruned.ts'
import { expandRouteSets } from './route-sets.ts'
import type { Conflict } from '../policy/scope.ts'
import { conflicts, resolve } from './resolve.ts'
import { type Config, FILE } from './schema.ts'
import { MAX_BYTES, plainValue } from './file/plain-value.ts'
import { Source, type TextFault } from './file/source.ts'

type Sound = {
  readonly ok: true
  readonly config: Config
  /** Places of its settings in the file. */
  readonly origins: Origins
}

export type Loaded =
  | Sound
  /** In the order of the file. */
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

const MAX_LINES = 8_000
/** Largest number of reported faults. */
const MAX_FAULTS = 200

/**
 * Loads a configuration. Never throws, and takes well under a second for any text.
 * @param file name for the faults.
 * @param env for `${NAME}`; its values never appear in a fault.
 */
export function loadConfig(text: string, file: string, env: Env): Loaded {
  const wrong = (message: string) => faulty([wholeFile(file, message)])
  if (Buffer.byteLength(text) > MAX_BYTES) return wrong(`is larger than ${MAX_BYTES / 1024} KiB`)
  if (lineCount(text) > MAX_LINES) return wrong(`has more than ${MAX_LINES} lines`)
  const source = new Source(text)
  hideWebhook(source)
  const located = ({ place, message }: TextFault) => faultAt(place, [], message, undefined, source, file)
  const textual = source.faults().map(located)
  if (textual.length > 0) return faulty(textual)
  const excess = source.excess()
  if (excess !== undefined) return faulty([located(excess)])
  const repeated = source.repeatedKeys().map(located)
  const unset = interpolate(source.document, env).map(({ node, message }) =>
    located({ place: source.nodePlace(node), message }),
  )
  const written = plainValue(source)
  if (written instanceof Error) return wrong(written.message)
  const manifest = manifestFault(written)
  if (manifest !== undefined) return wrong(manifest)
  const { raw, faults: misused, writtenAt } = expandRouteSets(written ?? {})
  const ofSets = misused.map(({ path, message }) => faultAt(source.keyAt(path), path, message, undefined, source, file))
  source.rearrange(writtenAt)
  const parsed = FILE.safeParse(raw)
  const origins = originsIn(source, file)
  const clashesOf = (found: readonly Conflict[]) =>
    distinct(
      found.slice(0, MAX_FAULTS).map(({ path, message }) => {
        const where = origins.of(path)?.path ?? path
        return faultAt(source.keyAt(where), where, message, undefined, source, file)
      }),
    )
  if (!parsed.success) {
    // A missing variable is not reported as a wrong type, too.
    const isSet = ({ line, column }: ConfigFault) => !unset.some((one) => one.line === line && one.column === column)
    const ofKinds = distinct(schemaFaults(parsed.error, FILE, source, file, MAX_FAULTS)).filter(isSet)
    const beside = pruned(raw, parsed.error)
    const found = beside === undefined ? [] : conflicts(resolve(beside.raw, beside.parsed))
    const certain = found.filter((conflict) => !isDoubtful(conflict, beside?.removed ?? []))
    return faulty([...repeated, ...unset, ...ofKinds, ...ofSets, ...clashesOf(certain)])
  }
  const config = resolve(raw, parsed.data)
  const faults = [...repeated, ...unset, ...ofSets, ...clashesOf(conflicts(config))]
  return faults.length > 0 ? faulty(faults) : { ok: true, config: frozen(config), origins }
}

/** The address of a webhook holds a token. It may stand in the place of the block. */
function hideWebhook(source: Source): void {
  const block = ['notify']
  source.hide(source.isMapAt(block) ? [...block, 'url'] : block)
}

function lineCount(text: string): number {
  let count = 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

/** A Kubernetes object in which the configuration is a value. */
function manifestFault(written: unknown): string | undefined {
  if (!isMap(written) || written.kind === undefined || written.apiVersion === undefined) return undefined
  const names = isMap(written.data) ? Object.keys(written.data) : []
  const inside = names[0] === undefined ? 'the text in it' : `the text under data: ${names.join(' or ')}`
  return `is a Kubernetes ${String(written.kind)}; the configuration is ${inside}`
}

/** Removes repeated faults: one in the defaults appears in every upstream, and one of a route set wherever it is used. */
function distinct(faults: readonly ConfigFault[]): ConfigFault[] {
  const seen = new Set<string>()
  return faults.filter(({ line, column, message }) => {
    const key = `${line}:${column}:${message}`
    return !seen.has(key) && seen.add(key)
  })
}

function faulty(faults: readonly ConfigFault[]): Loaded {
  const sorted = faults.toSorted((a, b) => a.line - b.line || a.column - b.column)
  return { ok: false, faults: sorted.slice(0, MAX_FAULTS) }
}

const wholeFile = (file: string, message: string): ConfigFault => ({
  ...excerptAt(file, { line: 1, column: 1, path: [], source: '' }),
  message,
  suggestion: undefined,
})

export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) frozen(inner)
  return Object.freeze(value)
}

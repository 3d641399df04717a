/** A text of a configuration with changes laid over it, as a JSON merge patch is (RFC 7396): null removes, a list replaces. */

import { isMap } from '../kinds/setting.ts'
import { MAX_BYTES, plainValue } from './plain-value.ts'
import { Source } from './source.ts'

/**
 * Both are YAML. References such as `${NAME}` stay as they are written.
 * @returns the merged text, or an Error that says what is wrong with the changes.
 */
export function merged(text: string, changes: string): string | Error {
  const [whole, over] = [mapIn(text), mapIn(changes)]
  if (whole instanceof Error) return whole
  return over instanceof Error ? over : JSON.stringify(patched(whole, over), undefined, 2)
}

type Values = Readonly<Record<string, unknown>>

function mapIn(text: string): Values | Error {
  if (Buffer.byteLength(text) > MAX_BYTES) return new Error(`is larger than ${MAX_BYTES / 1024} KiB`)
  const source = new Source(text)
  const [fault] = source.faults()
  if (fault !== undefined) return new Error(`line ${fault.place.line}: ${fault.message}`)
  const excess = source.excess()
  if (excess !== undefined) return new Error(`line ${excess.place.line}: ${excess.message}`)
  const value = plainValue(source)
  if (value instanceof Error) return value
  return isMap(value) ? value : new Error('expected settings, such as `upstreams: { web: { retry: { attempts: 2 } } }`')
}

function patched(before: unknown, over: unknown): unknown {
  if (!isMap(over)) return over
  const kept = isMap(before) ? before : {}
  const names = new Set([...Object.keys(kept), ...Object.keys(over)])
  return Object.fromEntries(
    [...names].flatMap((name) => {
      if (!Object.hasOwn(over, name)) return [[name, kept[name]]]
      const value = over[name]
      return value === null ? [] : [[name, patched(Object.hasOwn(kept, name) ? kept[name] : undefined, value)]]
    }),
  )
}

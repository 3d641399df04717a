/** Turns the schema's issues into faults of a configuration file for people. */

import { z } from 'zod'
import { type Excerpt, excerptAt, shown } from './excerpt.ts'
import { blocksAt, canBeFalse, keysAt } from './known-keys.ts'
import { FILE } from '../schema.ts'
import type { Path, Place, Source } from './source.ts'
import { blockSuggestion, corrected, listMeant, nameMeant, orList, suggestion } from './suggest.ts'

export type ConfigFault = Excerpt & {
  readonly message: string
  /** A known word or a corrected value that may have been intended. */
  readonly suggestion: string | undefined
}

/** The schema's faults with their places. Looks at no further issue after `most` faults: finding a place takes time. */
export function schemaFaults(
  error: z.ZodError,
  schema: z.ZodType,
  source: Source,
  file: string,
  most: number,
): ConfigFault[] {
  const faults: ConfigFault[] = []
  for (const path of unknownKeys(error.issues, [], most)) source.hide(path)
  for (const issue of error.issues) {
    if (faults.length >= most) break
    const bounded = issue.code === 'unrecognized_keys' ? { ...issue, keys: issue.keys.slice(0, most) } : issue
    faults.push(...faultsOf(bounded, [], schema, source, file))
  }
  return faults
}

/** Paths of unknown keys, those within unions included. */
function unknownKeys(issues: readonly z.core.$ZodIssue[], above: Path, most: number): Path[] {
  const found: Path[] = []
  for (const issue of issues) {
    if (found.length >= most) break
    const path = [...above, ...issue.path]
    if (issue.code === 'unrecognized_keys') found.push(...issue.keys.map((key) => [...path, key]))
    if (issue.code === 'invalid_union') for (const one of issue.errors) found.push(...unknownKeys(one, path, most))
  }
  return found.slice(0, most)
}

function faultsOf(
  issue: z.core.$ZodIssue,
  above: Path,
  schema: z.ZodType,
  source: Source,
  file: string,
): ConfigFault[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, schema, source, file))
  if (issue.code === 'invalid_key') {
    const [inner] = issue.issues
    const name = inner?.message.startsWith('a name has') ? nameMeant(String(path.at(-1))) : undefined
    return [faultAt(source.keyAt(path), path, inner?.message ?? issue.message, name, source, file)]
  }
  if ((issue.code === 'invalid_type' || issue.code === 'invalid_union') && !source.has(path)) {
    const key = String(path.at(-1) ?? '')
    return [faultAt(source.keyAt(path), path, `${key} is missing`, undefined, source, file)]
  }
  if (issue.message.startsWith('expected ') && path.length > 0 && !source.has(path))
    return [
      faultAt(source.keyAt(path), path, `${String(path.at(-1))} is missing: ${issue.message}`, undefined, source, file),
    ]
  if (issue.code === 'invalid_union') return unionFaults(issue, path, schema, source, file)
  const place = source.valueAt(path)
  if (issue.code === 'invalid_type' && issue.expected === 'record') return [namesFault(place, path, source, file)]
  if (issue.code === 'invalid_type' && issue.expected === 'object')
    return [blockFault(place, path, schema, source, file)]
  if (issue.code === 'invalid_type' && issue.expected === 'array') return [listFault(place, path, source, file)]
  const word = unquoted(place.text)
  const isWord = issue.code === 'invalid_value' && /[a-z]/i.test(word)
  const hint = isWord ? suggestion(word, issue.values.map(String)) : corrected(word, issue.message)
  return [faultAt(place, path, expectedAt(place, path, issue.message, source), hint, source, file)]
}

const unquoted = (text: string) => text.replaceAll(/^['"]|['"]$/g, '')

/** What is expected, with what keeps this value from being it where the value looks right. */
function expectedAt(place: Place, path: Path, message: string, source: Source): string {
  if (path.at(-1) === 'match' && source.isListAt(path)) return 'expected one match: write a route for each'
  const isQuoted = /^['"]/.test(place.text)
  const isPlain =
    /number|true or false|expected \d/.test(message) && /^(?:[\d.]+|true|false)$/.test(unquoted(place.text))
  return isQuoted && isPlain ? `${message}, without quotes` : message
}

/** A single value, or a map, where a list belongs. */
function listFault(place: Place, path: Path, source: Source, file: string): ConfigFault {
  const value = source.scalarAt(path)
  const isRoutes = path.at(-1) === 'routes'
  const message = isRoutes
    ? 'expected a list, in which each route begins with "- match: METHOD /path"'
    : 'expected a list'
  const hint =
    typeof value === 'string' && !isRoutes ? (listMeant(unquoted(place.text)) ?? `[${place.text}]`) : undefined
  return faultAt(place, path, message, hint, source, file)
}

/** Of the alternatives of a union, the one that came nearest: its keys are known, and its faults lie deepest. */
function unionFaults(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  schema: z.ZodType,
  source: Source,
  file: string,
): ConfigFault[] {
  const depth = (issues: readonly z.core.$ZodIssue[]) =>
    Math.max(...issues.map((one) => one.path.length + (one.code === 'unrecognized_keys' ? 1 : 0)))
  const unknown = (issues: readonly z.core.$ZodIssue[]) =>
    issues.filter(({ code }) => code === 'unrecognized_keys').length
  const alternatives = alternativesIn(issue)
  const nearest = alternatives
    .filter((issues) => issues.length > 0)
    .sort(
      (a, b) => Number(depth(a) === 0) - Number(depth(b) === 0) || unknown(a) - unknown(b) || depth(b) - depth(a),
    )[0]
  if (nearest !== undefined && depth(nearest) > 0)
    return nearest.flatMap((inner) => faultsOf(inner, path, schema, source, file))
  const place = source.valueAt(path)
  const isBlock = alternatives.some(([first]) => first?.code === 'invalid_type' && first.expected === 'object')
  const ours = alternatives.flatMap((issues) => issues.map(({ message }) => message)).filter((text) => !isStock(text))
  if (isBlock && ours.every((text) => text === 'expected false')) return [blockFault(place, path, schema, source, file)]
  const message = isStock(issue.message) && ours.length > 0 ? oneOfThese(ours) : issue.message
  const isList = alternatives.some(([first]) => first?.code === 'invalid_type' && first.expected === 'array')
  const word = unquoted(place.text)
  const hint = corrected(word, message) ?? (isList ? listMeant(word) : undefined)
  return [faultAt(place, path, expectedAt(place, path, message, source), hint, source, file)]
}

/** One sentence of several that begin alike. */
const oneOfThese = (messages: readonly string[]) =>
  [...new Set(messages)].map((text, i) => (i === 0 ? text : text.replace(/^expected /, ''))).join(', or ')

/** A value where keys belong. Names the keys for which the value would be sound. */
function blockFault(place: Place, path: Path, schema: z.ZodType, source: Source, file: string): ConfigFault {
  const value = source.scalarAt(path)
  const blocks = blocksAt(schema, path)
  const keys = blocks.flatMap((block) => Object.entries(block.shape))
  const canBeOff = canBeFalse(schema, path)
  const fault = (message: string, hint?: string) => faultAt(place, path, message, hint, source, file)
  const [upstreams, name] = path
  if (
    schema === FILE &&
    upstreams === 'upstreams' &&
    path.length === 2 &&
    keysAt(FILE, ['upstreams', '']).includes(String(name))
  )
    return fault('it belongs to an upstream, further to the right below its name')
  const [, key = '', rest] = /^([a-z]\w*) +(\S.*)$/i.exec(place.text) ?? []
  if (rest !== undefined && keys.some(([known]) => known === key))
    return fault('a colon is missing after the key', `${key}: ${rest}`)
  const expected = `expected ${canBeOff ? 'false, or ' : ''}keys below it`
  const names = keys.map(([key]) => key)
  const all = `${expected}: ${names.join(', ')}`
  const isAmount = (typeof value === 'string' || typeof value === 'number') && place.text !== ''
  const sound = keys
    .filter(([, type]) => isAmount && type instanceof z.ZodType && isFor(type, value))
    .map(([key]) => key)
  const only = sound.length === 1 && !place.text.includes('@') ? `{ ${sound[0]}: ${place.text} }` : undefined
  const hint = blockSuggestion(blocks, unquoted(place.text), canBeOff) ?? only
  if (hint !== undefined) return fault(names.length > MAX_NAMES ? expected : all, hint)
  return fault(
    sound.length === 0 ? all : `${expected}: say which one ${shownAmount(place.text)} is for, ${orList(sound)}`,
  )
}

/** Keys that a message lists. */
const MAX_NAMES = 12

/** Numbers, lengths and matches of a route; not what may be a secret, such as a token or the URL of a webhook. */
const shownAmount = (text: string) => (/^(?:\d|["']?[A-Z*]+ \/)/.test(text) ? text : 'it')

/** Whether a value is one of this type, and not only since any text would be. */
const isFor = (type: z.ZodType, value: unknown) =>
  type.safeParse(value).success && !(typeof value === 'string' && type.safeParse(ANY_TEXT).success)

const ANY_TEXT = 'any text: at all?'

/** A list where names belong, or a single value. */
function namesFault(place: Place, path: Path, source: Source, file: string): ConfigFault {
  const isList = place.text.startsWith('-') || place.text.startsWith('[')
  const hint = isList ? ', so "a:" in place of "- name: a"' : ''
  return faultAt(place, path, `expected names with their settings below them${hint}`, undefined, source, file)
}

/** The issues of each alternative. Those of a union within a union stand beside the others. */
const alternativesIn = ({ errors }: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[][] =>
  errors.flatMap((issues) => {
    const [only, second] = issues
    const isUnion = only?.code === 'invalid_union' && only.path.length === 0 && only.errors.length > 0
    return isUnion && second === undefined ? alternativesIn(only) : [issues]
  })

/** Whether a message is the library's own. */
const isStock = (message: string) => message.startsWith('Invalid input')

function unknownKey(path: Path, key: string, schema: z.ZodType, source: Source, file: string): ConfigFault {
  const full = [...path, key]
  const hint = suggestion(key, keysAt(schema, path))
  const isClear = hint === undefined || path.length === 0
  const belongs = isClear
    ? (innerHome(key, path, schema) ?? (schema === FILE ? homeOf(key, path) : undefined))
    : undefined
  if (belongs !== undefined)
    return faultAt(source.keyAt(full), full, `unknown key here: ${belongs}`, undefined, source, file)
  const known = hint === undefined ? keysAt(schema, path) : []
  const list =
    known.length > 0 && known.length <= MAX_NAMES ? `: the keys here are ${[...new Set(known)].join(', ')}` : ''
  return faultAt(source.keyAt(full), full, `unknown key${list}`, hint, source, file)
}

/** Where a key would be known a level below: `initial` of `retry` belongs to its `backoff`. */
function innerHome(key: string, path: Path, schema: z.ZodType): string | undefined {
  if (path.length === 0) return undefined
  const inner = keysAt(schema, path).filter((child) => keysAt(schema, [...path, child]).includes(key))
  return inner.length === 0 ? undefined : `it belongs to ${orList(inner)}, as in ${inner[0]}: { ${key}: … }`
}

/** Where a key would be known that is unknown here. */
function homeOf(key: string, path: Path): string | undefined {
  const isOfUpstreams = keysAt(FILE, ['upstreams', '']).includes(key)
  if (path.length === 0 && isOfUpstreams) {
    const others = keysAt(FILE, ['defaults']).includes(key) ? ', or to defaults' : ''
    return `it belongs to an upstream, further to the right below its name${others}`
  }
  const block = String(path.at(-1) ?? '')
  if (/^(?:enabled?|disabled?)$/.test(key) && canBeFalse(FILE, path)) return `${block}: false turns it off`
  if (/^(?:enabled?|disabled?)$/.test(key) && block === 'retry') return 'attempts: 1 turns retries off'
  if (/^(?:\d{3}|[45]xx)$/.test(key) && block === 'retry') return 'several values need brackets, as in on: [502, 503]'
  if (block === 'headers')
    return 'fields are set below request or response, as in request: { set: { Authorization: … } }'
  const [first = '', ...inner] = key.split('.')
  if (inner.length > 0 && keysAt(FILE, path).includes(first)) return `write ${inner.join(' below ')} below ${first}`
  const isRoute = path.at(-2) === 'routes'
  if (isRoute && /^methods?$/.test(key)) return 'the method stands in match, as in GET /jobs, or * for any'
  const isBelowRoute = path.includes('routes') || path[0] === 'routeSets'
  if (isBelowRoute && isOfUpstreams) return 'it belongs to the upstream, not to a route'
  if (isBelowRoute && path.at(-1) === 'retry' && key === 'budget') return 'it belongs to the upstream, not to a route'
  if (path.includes('upstreams') && keysAt(FILE, []).includes(key)) return 'it belongs to the top of the file'
  if (path[0] === 'defaults' && isOfUpstreams) return 'it belongs to an upstream, not to the defaults'
  if (keysAt(FILE, ['upstreams', '', 'routes', 0]).includes(key)) return 'it belongs to a route'
  return undefined
}

export function faultAt(
  place: Place,
  path: Path,
  message: string,
  hint: string | undefined,
  source: Source,
  file: string,
): ConfigFault {
  const { line, column } = place
  const written = source.pathAt(path)
  return { ...excerptAt(file, { line, column, path: written, source: source.line(line) }), message, suggestion: hint }
}

/** One paragraph per fault: file, line, column and message; then the line with a caret. */
export function formatFaults(faults: readonly ConfigFault[]): string {
  return faults
    .map((fault) => {
      const where = fault.path === '' ? '' : `${fault.path}: `
      const hint = fault.suggestion === undefined ? '' : `, did you mean "${fault.suggestion}"?`
      return `${fault.file}:${fault.line}:${fault.column}: ${where}${fault.message}${hint}\n${shown(fault)}`
    })
    .join('')
}

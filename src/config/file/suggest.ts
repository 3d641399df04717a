/** Suggests what a mistyped key or word may mean. */

import type { z } from 'zod'

/** Words of other products for the sidecar's keys. */
const SYNONYMS: Readonly<Record<string, string>> = {
  retries: 'retry',
  maxAttempts: 'attempts',
  maxRetries: 'attempts',
  tries: 'attempts',
  retryOn: 'on',
  base: 'initial',
  multiplier: 'factor',
  cap: 'max',
  circuitBreaker: 'breaker',
  maxFailures: 'consecutiveFailures',
  failureThreshold: 'consecutiveFailures',
  resetTimeout: 'openFor',
  sleepWindow: 'openFor',
  baseUrl: 'url',
  target: 'url',
  address: 'listen',
  bind: 'listen',
  port: 'listen',
  timeouts: 'timeout',
  deadline: 'total',
  perTry: 'attempt',
  keepAlive: 'idle',
  logging: 'log',
  path: 'match',
}

/** The nearest known word; undefined when none is near. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const synonym = SYNONYMS[word]
  if (synonym !== undefined && known.includes(synonym)) return synonym
  const near = known
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.candidate
}

const UNITS: readonly (readonly [written: RegExp, unit: string])[] = [
  [/^(?:ms|msec|msecs|millis|milliseconds?)$/i, 'ms'],
  [/^(?:|s|secs?|seconds?)$/i, 's'],
  [/^(?:m|mins?|minutes?)$/i, 'm'],
  [/^(?:h|hrs?|hours?)$/i, 'h'],
  [/^(?:d|days?)$/i, 'd'],
]

const SIZES: Readonly<Record<string, string>> = { k: 'KiB', m: 'MiB', g: 'GiB' }

const RATE = /^(\d+)\s*(?:\/|per)\s*(s|sec|second|m|min|minute|h|hour|d|day)$/i

/** What people write for false and for true. */
const OFF = /^(?:false|off|no|none|never|disabled?|unlimited)$/i
const ON = /^(?:true|on|yes|enabled?|1)$/i

/**
 * Keys that may be meant by a plain value; undefined when that is not clear.
 * @param word as it stands in the file.
 * @param canBeOff whether `false` may stand there.
 */
export function blockSuggestion(blocks: readonly z.ZodObject[], word: string, canBeOff: boolean): string | undefined {
  const has = (...names: string[]) => blocks.some(({ shape }) => names.every((name) => name in shape))
  if (OFF.test(word) && canBeOff) return 'false'
  if (OFF.test(word) && has('attempts')) return '{ attempts: 1 }'
  const [, requests, unit = ''] = RATE.exec(word) ?? []
  if (requests !== undefined && has('requests', 'per'))
    return `{ requests: ${requests}, per: 1${unit.charAt(0).toLowerCase()} }`
  const share = shareOf(word)
  if (share !== undefined && has('threshold')) return `{ threshold: ${share} }`
  if (share !== undefined && has('ratio') && word.endsWith('%')) return `{ ratio: ${share} }`
  const url = has('url') && withScheme(word)
  if (url) return `{ url: ${url} }`
  if (word !== 'true') return undefined
  if (blocks.some((block) => block.safeParse({}).success)) return '{}'
  return blocks.map((block) => block.meta()?.example).find((example) => typeof example === 'string')
}

/** A percentage as a share; undefined for what is none, or may be something else. */
function shareOf(word: string): number | undefined {
  const [, percent] = /^(\d+(?:\.\d+)?\s*(?=%)|\d{2})%?$/.exec(word) ?? []
  return percent !== undefined && Number(percent) > 0 && Number(percent) < 100 ? Number(percent) / 100 : undefined
}

const withScheme = (word: string) => (/^[\w.-]+(?::\d+)?$/.test(word) ? `http://${word}` : undefined)

/** Words between commas, bars or blanks as a list; undefined for one word, and for text that is no words. */
export function listMeant(word: string): string | undefined {
  const words = word.split(/[\s,|]+/)
  return words.length > 1 && words.every((one) => /^[\w:/.-]+$/.test(one)) ? `[${words.join(', ')}]` : undefined
}

/** A name of small letters, digits and inner hyphens; undefined when nothing is left. */
export function nameMeant(word: string): string | undefined {
  const name = word
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return name === '' ? undefined : name
}

/** What a route matches as it is written for other routers; undefined when that is not clear. */
function matchMeant(word: string): string | undefined {
  const [, methods = '*', target = ''] = /^(?:([a-z,|*]+)\s+)?(\S+)$/i.exec(word) ?? []
  const path = target
    .replace(/^https?:\/\/[^/]+(?=\/)/, '')
    .replaceAll(
      /<(?:\w+:)?(\w+)>|\[(\w+)\]|\{(\w+):[^}]*\}|:(\w+)(?=\/|$)/g,
      (_, ...names: string[]) => `{${names.find(Boolean)}}`,
    )
    .replaceAll('**', '*')
  // What is left of a regular expression would match something else.
  if (path === '' || /[\^$()\\[\]<>+]|\.\*/.test(path)) return undefined
  const method = /[,|]/.test(methods) ? '*' : upper(methods)
  return `${method} ${path.startsWith('/') ? '' : '/'}${path}`
}

/** A JSON Pointer for what is written as a JSONPath, or as in jq. */
function pointerMeant(word: string): string | undefined {
  const keys = word.replace(/^\$?\.?/, '')
  return /^[\w-]+(?:\.[\w-]+)*$/.test(keys) ? `/${keys.replaceAll('.', '/')}` : undefined
}

/** As in a sentence: a, b or c. */
export const orList = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

/** A corrected form of a value; undefined when the correction is not clear. */
export function corrected(word: string, expected: string): string | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(word) ?? []
  if (amount !== undefined && expected.includes('a duration')) {
    // Nobody means a thousand seconds by a bare number, and many tools count in ms.
    if (unit === '' && Number(amount) >= 1000) return `${amount}ms`
    const known = UNITS.find(([written]) => written.test(unit))
    return known && `${amount}${known[1]}`
  }
  if (amount !== undefined && expected.includes('a size')) {
    const known = SIZES[unit.charAt(0).toLowerCase()]
    return unit === '' ? `${amount}B` : known && `${amount}${known}`
  }
  if (amount !== undefined && unit === '' && expected.includes('an address')) return `127.0.0.1:${amount}`
  if (/^:\d+$/.test(word) && expected.includes('an address')) return `0.0.0.0${word}`
  if (expected.startsWith('expected METHOD')) return matchMeant(word)
  if (expected.startsWith('expected a method')) return /^[a-z]+$/i.test(word) ? upper(word) : undefined
  if (expected.includes('a JSON Pointer')) return pointerMeant(word)
  if (expected.startsWith('expected file:')) return /^[./]/.test(word) ? `file:${word}` : undefined
  if (expected.includes('true or false')) return ON.test(word) ? 'true' : OFF.test(word) ? 'false' : undefined
  if (expected.startsWith('expected false')) return OFF.test(word) ? 'false' : undefined
  if (/^(?:expected a number|must be more than 0)/.test(expected)) return shareOf(word)?.toString()
  return expected.startsWith('expected http://') ? withScheme(word) : undefined
}

const upper = (word: string) => word.toUpperCase()

/** Edit distance with swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 60) return Number.POSITIVE_INFINITY
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const edits = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost]
      row.push(Math.min(...edits, ...(swapped ? [(beforeLast[j - 2] ?? 0) + 1] : [])))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

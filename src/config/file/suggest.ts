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

/** Keys that may be meant by a plain value; undefined when that is not clear. */
export function blockSuggestion(blocks: readonly z.ZodObject[], value: unknown): string | undefined {
  const [, requests, unit = ''] = RATE.exec(String(value)) ?? []
  if (requests !== undefined && blocks.some(({ shape }) => 'requests' in shape && 'per' in shape))
    return `{ requests: ${requests}, per: 1${unit.charAt(0).toLowerCase()} }`
  if (value !== true) return undefined
  if (blocks.some((block) => block.safeParse({}).success)) return '{}'
  return blocks.map((block) => block.meta()?.example).find((example) => typeof example === 'string')
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
  if (expected.startsWith('expected METHOD') && /^\/\S*$/.test(word)) return `* ${word}`
  if (expected.startsWith('expected METHOD') && /^[a-z]+ \/\S*$/.test(word)) return word.replace(/^[a-z]+/, upper)
  if (expected.startsWith('expected a method') && /^[a-z]+$/i.test(word)) return upper(word)
  return expected.startsWith('expected http://') && /^[\w.-]+(?::\d+)?$/.test(word) ? `http://${word}` : undefined
}

/** A name of an upstream as it is written here; undefined where letters would be lost. */
export function correctedName(name: string): string | undefined {
  const written = name.toLowerCase().replaceAll(/[_. ]+/g, '-')
  return written !== name && /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(written) ? written : undefined
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

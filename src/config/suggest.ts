/** What somebody who mistyped a key or a word may have meant. */

/** Other products' words for our keys. */
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
  host: 'url',
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

/** The nearest of the known words, undefined when none is near. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const synonym = SYNONYMS[word]
  if (synonym !== undefined && known.includes(synonym)) return synonym
  const near = known
    .map((candidate) => ({ candidate, distance: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.candidate
}

/** Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment). */
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

import { quantile } from '../statistics.ts'
import type { Got } from './plant.ts'

/** Largest number of calls within any window of that length. */
export function mostWithin(times: readonly number[], perMs: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  let [most, from] = [0, 0]
  for (const [i, at] of sorted.entries()) {
    while ((sorted[from] ?? at) <= at - perMs) from += 1
    most = Math.max(most, i - from + 1)
  }
  return most
}

export const within = (times: readonly number[], from: number, to: number) =>
  times.filter((at) => at >= from && at < to)

/** Median and 99th percentile of the answered requests, such as `1.2 / 4.0`. */
export function latencies(all: readonly Got[]): string {
  const sorted = all.flatMap(({ status, ms }) => (status === 200 ? [ms] : [])).sort((a, b) => a - b)
  return `${quantile(sorted, 0.5).toFixed(1)} / ${quantile(sorted, 0.99).toFixed(1)}`
}

export const share = (part: number, of: number) => `${((100 * part) / of).toFixed(0)} %`

export const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('')

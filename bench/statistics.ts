/** What several rounds say about one quantity. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number }

/** @param values at least one. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: quantile(sorted, 0.5), least: quantile(sorted, 0), most: quantile(sorted, 1) }
}

export const median = (values: readonly number[]) => spread(values).median

/**
 * Linear between neighbours.
 * @param sorted ascending; NaN when empty.
 * @param share in [0, 1].
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** One value a round, own over peer's of the same round: what slowed the machine in that round cancels out. */
export function ratios(own: readonly number[], peer: readonly number[]): number[] {
  return own.map((value, round) => value / (peer[round] ?? Number.NaN))
}

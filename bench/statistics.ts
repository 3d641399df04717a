/** Statistics of one quantity over several rounds. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number }

/** @param values one or more. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: quantile(sorted, 0.5), min: quantile(sorted, 0), max: quantile(sorted, 1) }
}

export const median = (values: readonly number[]) => spread(values).median

/**
 * A quantile, interpolated linearly between neighbours.
 * @param sorted ascending.
 * @param share in [0, 1].
 * @returns NaN when `sorted` is empty.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** The ratio of own to peer in each round: a slow machine slows both in the same round, so that it cancels out. */
export function ratios(own: readonly number[], peer: readonly number[]): number[] {
  return own.map((value, round) => value / (peer[round] ?? Number.NaN))
}

import type { Counter, Histogram } from 'prom-client'

type Series = Counter | Histogram

/**
 * Takes away what was counted for upstreams that are no more, so that names which come and go add nothing for good. A
 * request of theirs that ends later counts anew; what it leaves goes the next time.
 */
export async function forgetSeries(all: readonly Series[], present: ReadonlySet<string>): Promise<void> {
  for (const series of all) {
    const { values } = await series.get()
    for (const { labels } of values) {
      const { le: _, ...own }: Readonly<Record<string, string | number | undefined>> = labels
      if (own.upstream !== undefined && !present.has(String(own.upstream))) series.remove(own)
    }
  }
}

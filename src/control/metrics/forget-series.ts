import type { Counter, Histogram } from 'prom-client'

type Series = Counter | Histogram

/**
 * Removes the series of removed upstreams, so that changing names do not add up. A request of theirs that ends later counts
 * again; its series goes the next time.
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

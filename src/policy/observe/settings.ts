import { z } from 'zod'
import { duration, number, oneOf } from '../../config/kinds/kinds.ts'
import { type Length, length } from '../../config/kinds/length.ts'

/** Percentiles that may be observed. Beyond the 99th a few samples would decide. */
const QUANTILES = ['p50', 'p75', 'p90', 'p95', 'p99'] as const

/** An attempt's limit as a multiple of the route's recent latency. */
export type ObservedLength = {
  readonly observed: (typeof QUANTILES)[number]
  readonly times: number
  readonly minMs: number
  /** Upper bound of the limit. Applies alone until enough attempts are known. */
  readonly maxMs: Length
}

export const observedLength: z.ZodType<ObservedLength> = z
  .strictObject({
    observed: oneOf(QUANTILES).describe("Percentile of the route's recent attempts."),
    times: number(1, 100).describe('Factor of that percentile.'),
    min: duration('1ms', '1d').describe('Shortest timeout.'),
    max: length('1ms', '1d').describe('Longest timeout. Applies alone until enough attempts were seen.'),
  })
  .transform(({ min, max, ...rest }) => ({ ...rest, minMs: min, maxMs: max }))

export const isObserved = (length: Length | ObservedLength): length is ObservedLength =>
  typeof length === 'object' && 'observed' in length

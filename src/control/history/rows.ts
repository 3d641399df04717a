/** Rows of a history as they are kept: a minute or an hour with all of its upstreams, as a few hundred bytes. */

import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { HistoryMark } from '../../dashboard/shapes.ts'
import { isMap } from '../../config/kinds/setting.ts'
import type { Bin } from './steps.ts'

/** Sums of an upstream: see `packed`. */
type Packed = readonly number[]

export type Row = {
  /** Seconds of it that the sidecar ran. */
  readonly seconds: number
  /** Those with anything to tell. */
  readonly upstreams: ReadonlyMap<string, Packed>
  readonly marks: readonly HistoryMark[]
}

/** The counts in a fixed order, then bucket and count of each bucket that has durations. */
export const packed = (bin: Bin): Packed => [
  bin.requests,
  bin.failures,
  bin.refusals,
  bin.retries,
  bin.saved,
  bin.openMs,
  bin.inFlight,
  ...bin.durations.pairs().flat(),
]

const COUNTS = 7

export function addPacked(
  bin: Bin,
  [requests = 0, failures = 0, refusals = 0, retries = 0, saved = 0, ...rest]: Packed,
): void {
  const [openMs = 0, inFlight = 0] = rest
  bin.requests += requests
  bin.failures += failures
  bin.refusals += refusals
  bin.retries += retries
  bin.saved += saved
  bin.openMs += openMs
  bin.inFlight = Math.max(bin.inFlight, inFlight)
  bin.durations.addPairs(pairsOf(rest.slice(COUNTS - 5)))
}

function* pairsOf(flat: readonly number[]): Iterable<readonly [number, number]> {
  for (let i = 0; i + 1 < flat.length; i += 2) yield [flat[i] ?? 0, flat[i + 1] ?? 0]
}

export function written({ seconds, upstreams, marks }: Row): Uint8Array {
  const all = { s: seconds, u: Object.fromEntries(upstreams), ...(marks.length > 0 ? { m: marks } : {}) }
  return new Uint8Array(deflateRawSync(JSON.stringify(all)))
}

/** @returns undefined for bytes that are no row: one that cannot be read is left out, and the others are shown. */
export function read(bytes: Uint8Array): Row | undefined {
  try {
    const value: unknown = JSON.parse(inflateRawSync(bytes, { maxOutputLength: MAX_ROW_BYTES }).toString())
    if (!isMap(value) || typeof value.s !== 'number' || !isMap(value.u)) return undefined
    const upstreams = Object.entries(value.u).filter((entry): entry is [string, number[]] => isNumbers(entry[1]))
    return {
      seconds: value.s,
      upstreams: new Map(upstreams),
      marks: Array.isArray(value.m) ? value.m.filter(isMark) : [],
    }
  } catch {
    return undefined
  }
}

/** Far more than a row of a thousand upstreams. */
const MAX_ROW_BYTES = 4 * 1024 * 1024

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'number' && Number.isFinite(one))

const isMark = (value: unknown): value is HistoryMark =>
  isMap(value) && typeof value.at === 'string' && typeof value.kind === 'string'

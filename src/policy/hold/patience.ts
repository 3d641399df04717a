/**
 * How long the clients of a route wait for a held poll before they leave. A client that always leaves after three seconds takes
 * each longer hold for an error: it is held for less. Pure: times come from outside.
 */

import { writtenMs } from '../../config/kinds/units.ts'
import type { ImpatientClient } from '../../events.ts'

/** Clients of a route that send the same User-Agent: the time-out is one of the program. */
type Patience = {
  /** Leaves in a row after about the same time; undefined before the first. */
  row: Row | undefined
  /** Time after which they leave, in ms; undefined while it is not known. */
  knownMs: number | undefined
}

type Row = {
  minMs: number
  maxMs: number
  /** Monotonic ms of the first leave. */
  readonly since: number
}

/** By User-Agent; the one used last stands last. */
export type Patiences = Map<string, Patience>

/** The lengths of a hold, in ms. */
type Lengths = { readonly upToMs: number; readonly everyMs: number }

/** Largest number of User-Agents of a route. Those used longest ago are forgotten. */
const MAX_CLIENTS = 16
/** Longest User-Agent that is told apart. */
const MAX_NAME = 100
/** Leaves within a tenth of each other are those of one time-out. */
const SAME = 1.1
/** Time of an answer's way to the client: a tenth of the patience, within bounds, in ms. */
const MARGIN = 0.1
const MIN_MARGIN_MS = 100
const MAX_MARGIN_MS = 1_000

export const clientName = (userAgent: string | undefined) => (userAgent ?? '').slice(0, MAX_NAME)

/**
 * Notes that a client has left a held poll.
 * @returns its patience in ms when this leave has made it known, or has changed it. Two leaves after about the same time, with none
 * and no longer hold between them, make it known; a program that ends drops all its polls at one moment, which counts once.
 */
export function noteLeave(all: Patiences, client: string, waitedMs: number, now: number): number | undefined {
  const patience = patienceOf(all, client)
  const { row } = patience
  if (row === undefined || !isAbout(waitedMs, row)) {
    patience.row = { minMs: waitedMs, maxMs: waitedMs, since: now }
    return undefined
  }
  row.minMs = Math.min(row.minMs, waitedMs)
  row.maxMs = Math.max(row.maxMs, waitedMs)
  const { knownMs } = patience
  if (now - row.since < row.minMs / 2) return undefined
  if (knownMs !== undefined && isAbout(knownMs, row)) return undefined
  patience.knownMs = row.minMs
  return row.minMs
}

/** Notes that a client was there to be answered: one that waits for longer than was thought is not impatient. */
export function noteAnswer(all: Patiences, client: string, waitedMs: number): void {
  const patience = all.get(client)
  if (patience === undefined) return
  if (patience.row !== undefined && waitedMs > patience.row.maxMs * SAME) patience.row = undefined
  if (patience.knownMs !== undefined && waitedMs > patience.knownMs * SAME) patience.knownMs = undefined
}

/** Time for which a client is held, in ms: never more than `upTo`; 0 where no second poll of the upstream would fit. */
export function heldMs(all: Patiences, client: string, { upToMs, everyMs }: Lengths): number {
  const known = all.get(client)?.knownMs
  if (known === undefined) return upToMs
  const marginMs = Math.min(MAX_MARGIN_MS, Math.max(MIN_MARGIN_MS, known * MARGIN))
  const limitMs = Math.min(upToMs, Math.floor(known - marginMs))
  return limitMs > everyMs ? limitMs : 0
}

/** Clients that are held for less than `upTo`, in the words of a warning. */
export const impatientIn = (all: Patiences, hold: Lengths): Omit<ImpatientClient, 'route'>[] =>
  [...all].flatMap(([client, { knownMs }]) => (knownMs === undefined ? [] : [told(all, client, knownMs, hold)]))

/** @param patienceMs as `noteLeave` has returned it. */
export function told(
  all: Patiences,
  client: string,
  patienceMs: number,
  hold: Lengths,
): Omit<ImpatientClient, 'route'> {
  const held = heldMs(all, client, hold)
  const [upTo, leaves, now] = [hold.upToMs, patienceMs, held].map(writtenMs)
  const known = `clients leave a held poll after ${leaves}, and hold.upTo is ${upTo}`
  return held > 0
    ? {
        client,
        patienceMs,
        heldMs: held,
        reason: `${known}: they are held for ${now} from now on`,
        fix: `upTo: ${now}, or clients that wait longer`,
      }
    : {
        client,
        patienceMs,
        heldMs: held,
        reason: `${known}: they are not held from now on, since no second poll fits`,
        fix: 'a shorter every, or clients that wait longer',
      }
}

const isAbout = (ms: number, { minMs, maxMs }: Row) => Math.max(ms, maxMs) <= Math.min(ms, minMs) * SAME

function patienceOf(all: Patiences, client: string): Patience {
  const found = all.get(client) ?? { row: undefined, knownMs: undefined }
  all.delete(client)
  all.set(client, found)
  const [oldest] = all.keys()
  if (all.size > MAX_CLIENTS && oldest !== undefined) all.delete(oldest)
  return found
}

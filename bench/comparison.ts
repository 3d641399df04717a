import { bareUndici, httpProxy } from './contestants/baselines.ts'
import { nginx } from './contestants/nginx.ts'
import type { Results } from './rounds.ts'
import { median, ratios } from './statistics.ts'

/** Contestants to which every contestant is compared. */
const PEERS = [bareUndici.name, nginx.name, httpProxy.name]

export const PEER_HEADERS = PEERS.map((name) => `× ${name}`)

/** @returns the ratio of own cost to the peer's in each round; empty when one of the two was not measured. */
export function ratiosTo<Sample>(
  results: Results<Sample>,
  own: string,
  peer: string,
  cost: (sample: Sample) => number,
): number[] {
  const peers = results.get(peer)?.map(cost) ?? []
  return peers.length === 0 ? [] : ratios(results.get(own)?.map(cost) ?? [], peers)
}

/** Table cells for the columns PEER_HEADERS. */
export function peerCells<Sample>(results: Results<Sample>, own: string, cost: (sample: Sample) => number): string[] {
  return PEERS.map((peer) => {
    const values = ratiosTo(results, own, peer, cost)
    return values.length === 0 ? '–' : median(values).toFixed(2)
  })
}

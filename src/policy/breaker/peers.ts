/**
 * Breakers of a fleet. An opening is a hint to the others: half as many failures of the same kind open theirs while the sender's
 * is open; a hint alone opens none. One sidecar at a time probes, by a lease that lasts no longer than a probe may.
 */

import type { Timer } from '../../clock.ts'
import { callEach } from '../call-each.ts'
import type { Deps } from '../../deps.ts'
import type { PeerNews, Peers } from '../../peers.ts'
import { allowProbes, type Circuit, type CircuitSettings, stateOf, type Transition } from './circuit.ts'

/** What the fleet needs of a breaker. */
type Shared = {
  readonly settings: CircuitSettings
  readonly circuit: Circuit
  readonly upstream: string
  readonly route: string | undefined
  readonly endpoint: string | undefined
  readonly onChange: Set<() => void>
  /** Timer for the question who probes. */
  readonly lease: { timer: Timer | undefined }
}

/** Time in ms before half open at which the lease is asked for. */
const ASK_AHEAD_MS = 50
/** Lease in ms until the first probe begins: a sidecar without calls keeps the others waiting no longer. */
const START_MS = 500

/** Tells a change of state to the others, and asks for the lease to probe. */
export function tellPeers(breaker: Shared, { to, openMs, cause }: Transition, peers: Peers, deps: Deps): void {
  const { upstream, route, endpoint, circuit, settings } = breaker
  const key = keyOf(breaker)
  if (to === 'half-open') return peers.probe({ key, ms: settings.openForMaxMs }, () => undefined)
  stop(breaker, deps)
  if (cause === 'forced') return
  peers.tell({ kind: 'breaker', upstream, route, endpoint, to, failure: circuit.alike.kind, ms: openMs ?? 0 })
  peers.probe({ key, ms: 0 }, () => undefined)
  if (to === 'open') askLater(breaker, peers, deps)
}

/** Takes what another sidecar told of the same breaker. */
export function hearBreaker(breaker: Shared, news: Extract<PeerNews, { kind: 'breaker' }>, deps: Deps): void {
  const now = deps.clock.now()
  const { circuit, onChange } = breaker
  if (news.to === 'open') {
    circuit.hint = { kind: news.failure, untilAt: now + news.ms }
    return
  }
  circuit.hint = undefined
  if (stateOf(circuit, now) !== 'open' || circuit.mode !== 'auto') return
  // It was well for another one. Own probes say whether it is for this one.
  allowProbes(circuit, now)
  callEach([...onChange])
}

const keyOf = ({ upstream, route = '*', endpoint = '' }: Shared) => `${upstream} ${route} ${endpoint}`

function askLater(breaker: Shared, peers: Peers, deps: Deps): void {
  const { clock } = deps
  const { circuit, lease, onChange } = breaker
  const key = keyOf(breaker)
  lease.timer = clock.after(circuit.halfOpenAt - clock.now() - ASK_AHEAD_MS, () => {
    lease.timer = undefined
    if (!circuit.tripped || circuit.probed) return
    peers.probe({ key, ms: START_MS + ASK_AHEAD_MS }, (heldMs) => {
      // Without an answer, and with the lease, the breaker becomes half open as it would have.
      if (heldMs === undefined || heldMs === 0 || !circuit.tripped || circuit.probed) return
      circuit.halfOpenAt = Math.max(circuit.halfOpenAt, clock.now() + heldMs)
      callEach([...onChange])
      askLater(breaker, peers, deps)
    })
  })
}

function stop({ lease }: Shared, { clock }: Deps): void {
  if (lease.timer !== undefined) clock.cancel(lease.timer)
  lease.timer = undefined
}

import type { Layer, Send } from './exchange.ts'
import { type Gate, gated } from './gate.ts'
import { POLICIES, type FullPlace } from './policies.ts'

/** One policy as it stands in a pipeline. */
type Wall = { readonly layer: Layer } | { readonly gate: Gate }

/** Puts the policies of a route together, outermost first: layers and gates, choice of an endpoint, its gates, the attempt. */
export function pipeline(place: FullPlace): Send {
  const attempt = only(POLICIES.map((policy) => policy.attempt))
  const choose = only(POLICIES.map((policy) => policy.choose))
  const outer = POLICIES.flatMap((policy) => wallsOf(policy.layer?.(place), policy.gate?.(place)))
  const endpoints = place.endpoints.map((endpoint) => ({
    walls: POLICIES.flatMap((policy) => wallsOf(undefined, policy.endpointGate?.(place, endpoint))),
    send: attempt(place, endpoint),
  }))
  const [single, ...others] = endpoints
  // Without a choice the gates of the endpoint follow the outer ones.
  if (single !== undefined && others.length === 0) return composed([...outer, ...single.walls], single.send)
  return composed(
    outer,
    choose(
      place,
      endpoints.map(({ walls, send }) => composed(walls, send)),
    ),
  )
}

function only<T>(all: readonly (T | undefined)[]): T {
  const [one, ...others] = all.filter((each) => each !== undefined)
  if (one === undefined || others.length > 0) throw new Error('exactly one policy makes attempts, and one chooses')
  return one
}

const wallsOf = (layer: Layer | undefined, gate: Gate | undefined): Wall[] => [
  ...(layer === undefined ? [] : [{ layer }]),
  ...(gate === undefined ? [] : [{ gate }]),
]

/** Joins gates that follow each other. */
function composed(walls: readonly Wall[], innermost: Send): Send {
  let send = innermost
  let gates: Gate[] = []
  for (const wall of walls.toReversed()) {
    if ('gate' in wall) gates.unshift(wall.gate)
    else {
      send = wall.layer(gated(gates, send))
      gates = []
    }
  }
  return gated(gates, send)
}

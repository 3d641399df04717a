import type { Layer, Send } from './exchange.ts'
import { POLICIES, type FullPlace } from './policies.ts'

/** Puts the policies of a route together, outermost first: layers, choice of an endpoint, its layers, the attempt. */
export function pipeline(place: FullPlace): Send {
  const attempt = only(POLICIES.map((policy) => policy.attempt))
  const choose = only(POLICIES.map((policy) => policy.choose))
  const sends = place.endpoints.map((endpoint) =>
    composed(
      POLICIES.map((policy) => policy.endpointLayer?.(place, endpoint)),
      attempt(place, endpoint),
    ),
  )
  return composed(
    POLICIES.map((policy) => policy.layer?.(place)),
    choose(place, sends),
  )
}

function only<T>(all: readonly (T | undefined)[]): T {
  const [one, ...others] = all.filter((each) => each !== undefined)
  if (one === undefined || others.length > 0) throw new Error('exactly one policy makes attempts, and one chooses')
  return one
}

const composed = (layers: readonly (Layer | undefined)[], innermost: Send): Send =>
  layers.reduceRight<Send>((next, layer) => layer?.(next) ?? next, innermost)

/** The configuration with its secrets masked. */

import { placeName } from '../../checkpoint/place.ts'
import type { Config } from '../../config/schema.ts'
import { masked } from '../log/masked.ts'

/** Names of settings that hold secrets. */
export const SECRET = /token|password|secret/i
export const STARS = '***'

/** In the order of Config: durations in ms, sizes in bytes, numbers without a bound as null. */
export function shownConfig({ notify, checkpoints, health, tracing, upstreams, ...config }: Config): unknown {
  const redis = (target: Config['health']['redis']) => (target === false ? '' : placeName({ kind: 'redis', target }))
  return withoutSecrets({
    ...config,
    notify: { ...notify, url: notify.url === '' ? '' : `${new URL(notify.url).origin}/${STARS}` },
    checkpoints: { ...checkpoints, store: placeName(checkpoints.store) },
    tracing: { ...tracing, headers: tracing.headers.map(([name]) => [name, STARS]) },
    health: {
      ...health,
      redis: redis(health.redis),
      celery: { ...health.celery, broker: redis(health.celery.broker) },
    },
    upstreams: upstreams.map((upstream) => ({
      ...upstream,
      headers: shownHeaders(upstream.headers),
      routes: upstream.routes.map((route) => ({ ...route, headers: shownHeaders(route.headers) })),
    })),
  })
}

/** Values of fields are masked whole; the paths of files that hold values are shown. */
function shownHeaders({ request, response }: Config['upstreams'][number]['headers']) {
  const shown = ({ set, remove }: typeof request) => ({
    set: Object.fromEntries(
      Object.entries(set).map(([name, value]) => [name, typeof value === 'string' ? STARS : value]),
    ),
    remove,
  })
  return { request: shown(request), response: shown(response) }
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return masked(value)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isSecret = SECRET.test(key) && typeof inner === 'string' && inner !== ''
      return [key, isSecret ? STARS : withoutSecrets(inner)]
    }),
  )
}

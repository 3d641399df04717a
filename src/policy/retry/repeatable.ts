import type { ExplainScope, Part, RouteScope } from '../scope.ts'
import type { RetrySettings } from './settings.ts'

/** Whether requests of the route may be repeated whatever the outcome; undefined when it depends on their method. */
export function isRouteRepeatable({ route, match }: RouteScope<RetrySettings>): boolean | undefined {
  if (route.idempotent) return true
  const method = match?.split(' ')[0] ?? '*'
  return method === '*' ? undefined : route.retry.methods.includes(method)
}

/** Whether one request may be repeated, and why. */
export function whyRepeatable({ route, method, part }: ExplainScope<RetrySettings>): {
  isRepeatable: boolean
  why: Part
} {
  const { idempotent, retry } = route
  if (idempotent) return { isRepeatable: true, why: part('idempotent', 'the route says idempotent') }
  if (retry.methods.includes(method))
    return { isRepeatable: true, why: part('retry.methods', `${method} is safe to repeat`) }
  const says = `${method} is not in retry.methods, and the route does not say idempotent: repeated only where nothing of it was sent, or when it carries Idempotency-Key`
  return { isRepeatable: false, why: part('retry.methods', says) }
}

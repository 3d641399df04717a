import { type EndpointPlace, NO_SETTINGS, type Place } from '../policy.ts'
import { attempting } from './attempt.ts'

export const attemptPolicy = {
  name: 'attempt',
  settings: NO_SETTINGS,
  attempt: ({ endpoints, deps }: Place, { transport, origin }: EndpointPlace) =>
    attempting(transport, origin, endpoints.length > 1 ? origin : undefined, deps),
}

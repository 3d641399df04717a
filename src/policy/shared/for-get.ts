import type { Finding } from '../scope.ts'

/** Warns of a setting that only affects GET on a route for another method. */
export function forOtherMethod(setting: string, match: string | undefined): Finding | undefined {
  const [method = '*'] = match?.split(' ') ?? []
  if (method === 'GET' || method === '*') return undefined
  return {
    at: [setting],
    reason: `${setting} is for GET, and this route is for ${method}: it does nothing here`,
    fix: 'a route for GET, or without it',
  }
}

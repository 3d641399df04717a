import type { ConcurrencySettings } from '../concurrency/settings.ts'
import { NO_ROUTE, NO_SETTINGS, type Place, type RouteOwner, type Standing, type UpstreamOwner } from '../policy.ts'
import type { PeerNews } from '../../peers.ts'
import type { RetrySettings } from '../retry/settings.ts'
import type { ExplainScope } from '../scope.ts'
import { addGroup, freshGroup, type PathGroup, type PathGroups, undeclaredGroup } from './group.ts'
import { pauseSnapshot } from './pause.ts'
import { hearPause, pausing } from './pausing.ts'

type UpstreamState = { readonly groups: PathGroups }
type RouteState = { readonly group: PathGroup }

/** Tells the paths of an upstream apart, and waits for the Retry-After that one of them was answered. */
export const pathsPolicy = {
  name: 'retry-after',
  settings: NO_SETTINGS,
  state: {
    upstream: {
      groups: { prepare: (_: UpstreamOwner, known: PathGroups | undefined): PathGroups => known ?? new Map() },
    },
    route: { group: { prepare: ({ match }: RouteOwner, known: PathGroup | undefined) => known ?? freshGroup(match) } },
  },
  traits: ({ match, state }: Place<unknown, unknown, UpstreamState & RouteState>) => ({
    groupOf: (method: string, path: string) =>
      match === NO_ROUTE ? undeclaredGroup(state.groups, method, path) : state.group,
  }),
  gate: ({ route, upstream, deps }: Place<RetrySettings, ConcurrencySettings>) =>
    route.retry.respectRetryAfter ? pausing(upstream.concurrency.queue, deps) : undefined,
  hear: (
    { state, routes, deps }: Standing<unknown, UpstreamState, unknown, RouteState>,
    name: string,
    news: PeerNews,
  ) => {
    if (news.kind !== 'pause' || news.upstream !== name) return
    const group =
      routes.map((route) => route.group).find(({ key }) => key === news.group) ?? state.groups.get(news.group)
    const { caller = '', ms } = news
    if (group !== undefined) hearPause(group.pauses, caller, ms, deps)
    else if (ms > 0) hearPause(addGroup(state.groups, news.group).pauses, caller, ms, deps)
  },
  snapshot: ({ state, routes, deps }: Standing<unknown, UpstreamState, unknown, RouteState>) => {
    const now = deps.clock.now()
    const groups = [...state.groups.values(), ...routes.map(({ group }) => group)]
    const pauses = groups.flatMap(({ key, pauses }) => pauseSnapshot(key, pauses, now) ?? [])
    return { pauses, queued: pauses.reduce((sum, { waiting }) => sum + waiting, 0) }
  },
  explain: ({ route, upstream, part }: ExplainScope<RetrySettings, ConcurrencySettings>) =>
    route.retry.respectRetryAfter
      ? [
          part(
            'retry.respectRetryAfter',
            `after a 429 or 503 with Retry-After, calls of the same path and credentials wait for its end (60s at most) as far as their deadline allows, ${upstream.concurrency.queue} of them`,
          ),
        ]
      : [],
} as const

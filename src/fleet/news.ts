/** News between the sidecars of a fleet, as JSON on one channel. */

import type { PeerNews } from '../peers.ts'

/** @param from id of the sidecar that tells it. */
export const writtenNews = (from: string, news: PeerNews): string => JSON.stringify({ from, ...news })

/** @returns undefined for a message of the sidecar itself, and for one that another version wrote and this one cannot read. */
export function readNews(text: string, self: string): PeerNews | undefined {
  const news = parsed(text)
  if (news === undefined || news.from === self) return undefined
  const { kind, upstream, route, endpoint, group, caller, ms, to, failure, key, isFree } = news
  const isTimed = typeof upstream === 'string' && typeof ms === 'number' && Number.isFinite(ms) && ms >= 0
  if (kind === 'pause' && isTimed && typeof group === 'string')
    return { kind, upstream, group, caller: textOrNone(caller), ms }
  if (kind === 'breaker' && isTimed && (to === 'open' || to === 'closed') && typeof failure === 'string')
    return { kind, upstream, route: textOrNone(route), endpoint: textOrNone(endpoint), to, failure, ms }
  if (kind === 'permits' && typeof key === 'string' && typeof isFree === 'boolean') return { kind, key, isFree }
  return undefined
}

const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined)

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

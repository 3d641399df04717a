/**
 * The history of one sidecar in Redis, under keys of its own: a hash for each day of minutes and each month of hours and incidents,
 * which expires as a whole.
 */

import { type CheckpointStore, HISTORY_KEPT, type HistoryKind, type HistoryRow } from '../store.ts'
import type { RedisClient } from './client.ts'

const DAY_MS = 86_400_000
/** Time that one hash covers. */
const SPAN_MS: Readonly<Record<HistoryKind, number>> = { minute: DAY_MS, hour: 30 * DAY_MS, incident: 30 * DAY_MS }

export function redisHistory(redis: RedisClient, instance: string): Pick<CheckpointStore, 'saveHistory' | 'history'> {
  const keyOf = (kind: HistoryKind, span: number) => `breakwater:history:${instance}:${kind}:${span}`
  const spanOf = (kind: HistoryKind, at: number) => Math.floor(at / SPAN_MS[kind])
  return {
    saveHistory: async (rows) => {
      const byKey = Map.groupBy(rows, ({ kind, at }) => keyOf(kind, spanOf(kind, at)))
      for (const [key, some] of byKey) {
        const kind = some[0]?.kind ?? 'minute'
        const fields = new Map(some.map(({ at, name, bytes }) => [`${at} ${name}`, Buffer.from(bytes)]))
        await redis.ask((client) => client.hset(key, fields))
        await redis.ask((client) => client.pexpire(key, HISTORY_KEPT[kind].ms + SPAN_MS[kind]))
      }
    },
    history: async (kind, from, to) => {
      const found: HistoryRow[] = []
      for (let span = spanOf(kind, from); span <= spanOf(kind, to - 1); span += 1) {
        const key = keyOf(kind, span)
        const all = await redis.ask((client) => client.hkeys(key))
        const asked = all.map(placeOf).filter(({ at }) => at >= from && at < to)
        if (asked.length === 0) continue
        // HKEYS and HMGET: rights that the sidecar needs anyway.
        const values = await redis.ask((client) => client.hmgetBuffer(key, ...asked.map(({ field }) => field)))
        for (const [i, bytes] of values.entries()) {
          const { at = 0, name = '' } = asked[i] ?? {}
          if (bytes !== null) found.push({ kind, at, name, bytes })
        }
      }
      return found.sort((a, b) => a.at - b.at)
    },
  }
}

/** Reads the name of a field; a foreign one is of no moment. */
function placeOf(field: string): { readonly field: string; readonly at: number; readonly name: string } {
  const [, at = 'none', name = ''] = /^(\d+) (.*)$/s.exec(field) ?? []
  return { field, at: Number(at), name }
}

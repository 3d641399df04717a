import type { RedisClient } from '../../checkpoint/redis/client.ts'

/** Prefix of make-video's own key. */
const KEY = 'health:check:'
const LIFE_S = 10

/**
 * PING, SET and GET, as make-video checks Redis.
 * @param value that no other sidecar uses. It is part of the key, since several sidecars may check one Redis at once.
 */
export async function lookAtRedis(redis: RedisClient, value: string): Promise<string> {
  const key = `${KEY}${value}`
  await redis.ask((client) => client.ping())
  await redis.ask((client) => client.set(key, value, 'EX', LIFE_S))
  const read = await redis.ask((client) => client.get(key))
  if (read !== value) throw new Error('what was set was not read back')
  return 'PING, SET and GET ok'
}

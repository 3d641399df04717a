import type { RedisClient } from '../../checkpoint/redis-client.ts'

/** make-video's own. */
const KEY = 'health:check:test'
const LIFE_S = 10

/** PING, SET and GET, as make-video checks it. */
export async function lookAtRedis(redis: RedisClient, value: string): Promise<string> {
  await redis.ask((client) => client.ping())
  await redis.ask((client) => client.set(KEY, value, 'EX', LIFE_S))
  const read = await redis.ask((client) => client.get(KEY))
  if (read !== value) throw new Error('what was set was not read back')
  return 'PING, SET and GET ok'
}

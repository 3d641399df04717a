import type { Clock } from '../clock.ts'
import { openFileStore } from './file-store.ts'
import type { StorePlace } from './place.ts'
import type { RedisTls } from './redis-client.ts'
import type { CheckpointStore, StoreSettings } from './store.ts'

/**
 * Opens the store at a place. One in Redis is there also while Redis is not: its calls fail until it is.
 * @throws Error naming the folder when a file store cannot be opened.
 */
export async function openStore(
  place: StorePlace,
  settings: StoreSettings,
  tls: RedisTls,
  clock: Clock,
): Promise<CheckpointStore> {
  if (place.kind !== 'redis') return openFileStore(place.kind === 'file' ? place.folder : undefined, settings, clock)
  // A tenth of the time to start, which whoever keeps files need not wait for.
  const [{ RedisClient }, { redisStore }] = await Promise.all([import('./redis-client.ts'), import('./redis-store.ts')])
  const redis = new RedisClient(place.target, tls)
  await redis.connect()
  return redisStore(redis, settings, clock)
}

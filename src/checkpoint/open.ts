import type { Clock } from '../clock.ts'
import { openFileStore } from './file/store.ts'
import type { TlsTexts } from '../net/tls/files.ts'
import type { StorePlace } from './place.ts'
import type { CheckpointStore, StoreNews, StoreSettings } from './store.ts'

/**
 * Opens the store at a place. It can be used before its file or Redis is available: its calls fail until then.
 * @throws Error naming the folder when another process has the file open.
 */
export async function openStore(
  place: StorePlace,
  settings: StoreSettings,
  tls: TlsTexts,
  clock: Clock,
  tell: (news: StoreNews) => void = () => {},
): Promise<CheckpointStore> {
  if (place.kind !== 'redis')
    return openFileStore(place.kind === 'file' ? place.folder : undefined, settings, clock, tell)
  // Loading the Redis client is a tenth of the time to start. A file store does not pay for it.
  const [{ RedisClient }, { redisStore }] = await Promise.all([import('./redis/client.ts'), import('./redis/store.ts')])
  const redis = new RedisClient(place.target, tls, clock)
  redis.connect()
  return redisStore(redis, settings, clock, tell)
}

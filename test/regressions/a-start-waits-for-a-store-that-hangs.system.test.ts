import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

test.runIf(hasRedis)(
  'start: requests are served half a second after it, though the store does not answer',
  async (t) => {
    const redis = await startRedis(t)
    redis.process.kill('SIGSTOP')
    const upstream = await scriptedUpstream(t, systemClock, [{ body: 'ok' }])
    const clock = fakeClock()
    const starting = startProxy(t, {
      clock,
      top: { checkpoints: { store: `redis://127.0.0.1:${redis.port}` } },
      upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } },
    })
    await clock.elapse(500)
    expect((await ask((await starting).own('web'))).status).toBe(200)
  },
)

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

needs('redis-server', hasRedis)

test.runIf(hasRedis)(
  'store: its death is told within the minute, though nobody asks for a checkpoint or for /health',
  async (t) => {
    const redis = await startRedis(t)
    const clock = fakeClock()
    const proxy = await startProxy(t, {
      clock,
      top: { checkpoints: { store: `redis://127.0.0.1:${redis.port}` } },
      upstreams: { web: { url: 'http://127.0.0.1:9' } },
    })
    await proxy.logged(({ msg }) => msg === 'checkpoint store up')
    redis.process.kill('SIGKILL')
    await clock.advance(61_000)
    await proxy.logged(({ msg }) => msg === 'checkpoint store down')
    const { incidents } = JSON.parse((await ask(`${proxy.controlUrl}/v1/incidents`)).body.toString())
    expect(incidents).toMatchObject([{ kind: 'store', state: 'ongoing' }])
  },
)

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

needs('redis-server', hasRedis)

test.runIf(hasRedis)('health: four sidecars on one Redis, checked at the same time, are all healthy', async (t) => {
  const redis = await startRedis(t)
  const url = `redis://127.0.0.1:${redis.port}`
  const pods = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (pod) => {
      const clock = fakeClock()
      let ids = 0
      const newId = () => {
        ids += 1
        return `${pod}-${ids}`
      }
      const proxy = await startProxy(t, {
        clock,
        newId,
        top: { checkpoints: { store: url }, health: { redis: url, critical: ['checkpoint_store', 'redis'] } },
        upstreams: { web: { url: 'http://127.0.0.1:9' } },
      })
      const isConnected = async () => {
        await clock.advance(1_000)
        return JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString()).checks.redis.healthy
      }
      await until(isConnected)
      await clock.advance(1_000)
      return { clock, health: async () => JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString()).checks }
    }),
  )
  for (let round = 0; round < 25; round += 1) {
    const all = await Promise.all(pods.map(({ health }) => health()))
    for (const { checkpoint_store, redis: own } of all)
      expect([round, checkpoint_store.details, own.details]).toEqual([
        round,
        'write, read and delete ok',
        'PING, SET and GET ok',
      ])
    for (const { clock } of pods) await clock.advance(1_000)
  }
  const keys = (await redis.command('KEYS', '*')) as string[]
  expect(keys.filter((key) => /probe|granular/.test(key))).toEqual([])
  for (const key of keys) expect([key, Number(await redis.command('PTTL', key)) > 0]).toEqual([key, true])
})

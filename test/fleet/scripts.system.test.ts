import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { PERMITS, TURNS } from '../../src/fleet/scripts.ts'
import { SharedRedis } from '../../src/simulate/fleet/redis.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import type { Permits, Turns } from '../../src/peers.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { seeded } from '../support/virtual.ts'

/** The script at a time of the test's choice. */
const at = (text: string, now: number) =>
  text.replace(/local clock = [\s\S]*?\/ 1000\n/, `local now = ${now.toFixed(3)}\n`)

const RATE = { requests: 10, perMs: 2_000, burst: 4 }
const AHEAD_MS = 200

test.runIf(hasRedis)(
  'fleet: for any questions the scripts answer as the simulated Redis does',
  async (t) => {
    const server = await startRedis(t)
    const redis = new Redis({ port: server.port, host: '127.0.0.1' })
    t.onTestFinished(() => redis.disconnect())
    for (let seed = 1; seed <= 12; seed += 1) {
      await redis.flushall()
      const random = seeded(seed)
      const clock = new VirtualClock(0)
      const simulated = new SharedRedis(clock, () => 0)
      const pods = ['a', 'b', 'c'].map((id) => ({
        id,
        peers: simulated.join(id, () => undefined),
        turns: [] as string[],
        permits: 0,
      }))
      await clock.advance(1_000_000)
      for (let step = 0; step < 60; step += 1) {
        await clock.advance(Math.floor(random() * 250))
        const pod = pods[Math.floor(random() * pods.length)]
        if (pod === undefined) continue
        const now = clock.now()
        const [used, returned] = [
          pod.turns.splice(0, Math.floor(random() * 3)),
          pod.turns.splice(0, Math.floor(random() * 2)),
        ]
        const want = Math.floor(random() * 5)
        const reports = used.map((id, i) => ({ id, at: now - i }))
        const ask = { upstream: 'web', rate: RATE, want, aheadMs: AHEAD_MS, used: reports, returned }
        const mine = Promise.withResolvers<Turns | undefined>()
        pod.peers.turns(ask, mine.resolve)
        await clock.advance(1)
        const turns = await mine.promise
        const args = [10, 2_000, 4, want, AHEAD_MS, 40, 2_000, pod.id, '', 'epoch', used.length]
        const reported = reports.flatMap((one) => [one.id, String(now - one.at)])
        const reply = await redis.eval(at(TURNS.text, now), 2, '{r}w', '{r}p', ...args, ...reported, ...returned)
        const [, , nextMs, granted] = reply as [string, number, string, string[]]
        expect(granted).toEqual(turns?.turns.flatMap((one) => [one.id, (one.at - now).toFixed(3)]))
        expect(Number(nextMs)).toBeCloseTo((turns?.nextAt ?? 0) - now, 2)
        pod.turns.push(...(turns?.turns.map(({ id }) => id) ?? []))

        const have = Math.floor(random() * (pod.permits + 1))
        const wanted = Math.floor(random() * 4)
        const theirs = Promise.withResolvers<Permits | undefined>()
        pod.peers.permits({ key: 'gpu', limit: 5, have, want: wanted }, theirs.resolve)
        const since = clock.now()
        await clock.advance(1)
        const permits = await theirs.promise
        const keys = ['{p}h', '{p}n', '{p}w', '{p}s']
        const told = await redis.eval(
          at(PERMITS.text, since),
          4,
          ...keys,
          pod.id,
          5,
          have,
          wanted,
          5_000,
          'ch',
          'w',
          'f',
          10_000,
        )
        expect(told).toEqual([permits?.granted, permits?.isWanted ? 1 : 0])
        pod.permits = have + (permits?.granted ?? 0)
      }
    }
  },
  30_000,
)

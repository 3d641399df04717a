import { expect, test } from 'vitest'
import { balancePolicy } from '../../../src/policy/balance/policy.ts'
import { freshReach, seeConnected, seeUnconnected } from '../../../src/policy/balance/reach.ts'
import { VirtualClock } from '../../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

type Reply = { status: number; ms: number }

const well = (): Reply => ({ status: 200, ms: 50 })
const broken = (status: number): Reply => ({ status, ms: 1 })

/** Replicas whose answers can be changed on the way, called by clients that each wait for their answer. */
function replicas(answers: Reply[], seed: number) {
  const clock = new VirtualClock(0)
  const counts = answers.map(() => 0)
  const services = answers.map((reply, i): [string, Service] => [
    `http://${i}.test`,
    () => {
      counts[i] = (counts[i] ?? 0) + 1
      return answer(reply.status, reply.ms)
    },
  ])
  const settings = { retry: { attempts: 1 } }
  const { get } = virtualSidecar(clock, settings, Object.fromEntries(services), seeded(seed))
  /** @returns calls by replica. */
  const calls = async (total: number, clientCount = 8) => {
    const before = [...counts]
    let left = total
    let isOver = false
    const client = async () => {
      while (left-- > 0) await get('/x')
    }
    const clients = Promise.all(Array.from({ length: clientCount }, client)).then(() => {
      isOver = true
    })
    while (!isOver) await clock.advance(1)
    await clients
    return counts.map((count, i) => count - (before[i] ?? 0))
  }
  return { clock, calls }
}

for (const status of [404, 401]) {
  test(`balance: of several replicas the one that answers ${status} at once gets few calls`, async () => {
    for (const seed of [1, 2, 3]) {
      const [ofTwo = 0] = await replicas([broken(status), well()], seed).calls(480)
      expect(ofTwo).toBeLessThan(48)
      const [ofThree = 0] = await replicas([broken(status), well(), well()], seed).calls(480)
      expect(ofThree).toBeLessThan(48)
    }
  })
}

test('balance: a replica that answered 404 and was mended gets its share back within 30 s', async () => {
  const first = broken(404)
  const { clock, calls } = replicas([first, well()], 4)
  expect((await calls(480))[0]).toBeLessThan(48)
  Object.assign(first, well())
  await clock.advance(30_000)
  const [mended = 0] = await calls(480)
  expect(mended).toBeGreaterThan(190)
})

test('balance: replicas that all answer 404 get equal shares, then and once they are well again', async () => {
  for (const seed of [5, 6, 7]) {
    const all = [broken(404), broken(404), broken(404)]
    const { calls } = replicas(all, seed)
    for (const count of await calls(960)) expect(count).toBeGreaterThan(240)
    for (const one of all) Object.assign(one, well())
    // Few at once, so that the calls in flight do not even out the load by themselves.
    for (const count of await calls(240, 2)) expect(count).toBeGreaterThan(48)
  }
})

test('balance: only an endpoint that a reload adds is new, and stays so over further reloads', async () => {
  const clock = new VirtualClock(0)
  const { prepare } = balancePolicy.state.upstream.addedAt
  const deps = { clock, random: () => 0, newId: () => '', emit: () => {}, isDraining: () => false }
  const owner = (origins: readonly string[]) => ({ name: 'web', settings: {}, origins, routes: [] })
  const always = Number.NEGATIVE_INFINITY
  const atStart = prepare(owner(['a', 'b']), undefined, undefined, deps)
  expect([...atStart]).toEqual([
    ['a', always],
    ['b', always],
  ])
  await clock.advance(5)
  const added = prepare(owner(['a', 'c']), atStart, owner(['a', 'b']), deps)
  expect([...added]).toEqual([
    ['a', always],
    ['c', 5],
  ])
  await clock.advance(4)
  const kept = prepare(owner(['b', 'c']), added, owner(['a', 'c']), deps)
  expect([...kept]).toEqual([
    ['b', 9],
    ['c', 5],
  ])
})

test('balance: an endpoint without connections is avoided for 1 s, doubling to 30 s, until a response', () => {
  const reach = freshReach()
  const waits = [1, 2, 3, 4, 5, 6, 7].map(() => {
    const now = reach.failures * 100_000
    seeUnconnected(reach, reach.failures, now)
    return reach.avoidUntil - now
  })
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  seeConnected(reach)
  for (let i = 0; i < 8; i += 1) seeUnconnected(reach, 0, 1_000_000)
  expect(reach).toEqual({ failures: 1, avoidUntil: 1_001_000 })
})

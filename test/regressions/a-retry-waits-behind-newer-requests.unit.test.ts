/** A retry joined the end of the rate's queue, behind requests that came after its own. */

import { expect, test } from 'vitest'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

test('rate: a retry takes its turn before requests that came after its own', async () => {
  const clock = new VirtualClock(0)
  const order: string[] = []
  const service: Service = ({ path }) => {
    order.push(path)
    return answer(order.length === 1 ? 503 : 200, 10)
  }
  const settings = {
    rate: { requests: 1, per: '1s', burst: 1, queueTimeout: '20s' },
    retry: { backoff: { initial: '500ms', jitter: 0 } },
  }
  const { get } = virtualSidecar(clock, settings, { 'http://a': service }, seeded(1))
  const all = [get('/first')]
  await clock.advance(100)
  all.push(get('/second'), get('/third'), get('/fourth'))
  await clock.advance(10_000)
  expect((await Promise.all(all)).map(({ outcome }) => outcome)).toEqual([200, 200, 200, 200])
  expect(order).toEqual(['/first', '/first', '/second', '/third', '/fourth'])
})

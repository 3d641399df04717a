/** An error thrown in a policy kept the slot of its request, or kept later callbacks from being called. */

import { expect, test } from 'vitest'
import { Link } from '../../src/policy/link.ts'
import { SimulatedCall, simulatedReply } from '../../src/simulate/simulated-call.ts'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

test.for([
  ['the choice of an endpoint', {}],
  ['a collapsed call', { collapse: true }],
  ['a held poll', { hold: { json: '/status', in: ['running'], upTo: '5s', every: '1s' } }],
  ['a hedged attempt', { hedge: { after: '1s', max: 1 } }],
] as const)('policy: an error in %s ends that request alone', async ([, route], t) => {
  const clock = fakeClock()
  const upstreams = [
    await scriptedUpstream(t, clock, [{ body: 'a' }]),
    await scriptedUpstream(t, clock, [{ body: 'b' }]),
  ]
  let broken = true
  const random = () => {
    if (broken) throw new Error('no chance')
    return 0
  }
  const proxy = await startProxy(t, {
    clock,
    random,
    upstreams: {
      web: {
        urls: upstreams.map(({ origin }) => origin),
        concurrency: { max: 1, queue: 0 },
        routes: [{ match: 'GET /r/{id}', ...route }],
      },
    },
  })
  expect(problemOf(await ask(`${proxy.url}/web/r/1`))).toMatchObject({ status: 500, type: 'urn:breakwater:internal' })
  expect(await proxy.logged(({ msg }) => msg === 'fault')).toMatchObject({ err: { message: 'no chance' } })
  broken = false
  expect((await ask(`${proxy.url}/web/r/2`)).status).toBe(200)
  expect(await proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
})

const failing = () => {
  throw new Error('first')
}

test('reply: when an onClosed callback throws, the others are still called', () => {
  const heard: string[] = []
  const ignore = () => {}
  const watch = { started: ignore, progressed: ignore, sent: ignore, head: ignore, failed: ignore }
  const reply = new SimulatedCall(simulatedReply(200, 1_000), watch, fakeClock())
  reply.onClosed(failing)
  reply.onClosed((end) => heard.push(end))
  expect(() => reply.discard('cancelled')).toThrow('first')
  expect(heard).toEqual(['cancelled'])
})

test('link: when a listener throws, the others still learn that the client left', () => {
  let heard = 0
  const link = new Link(() => {})
  link.listen(failing)
  link.listen(() => {
    heard += 1
  })
  expect(() => link.leave('client_gone')).toThrow('first')
  expect(heard).toBe(1)
})

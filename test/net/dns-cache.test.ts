import type { LookupAddress } from 'node:dns'
import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

const ONE = '127.0.0.1'
const OTHER = '127.0.0.2'

/** Upstreams at two loopback addresses, and a resolver that the test scripts. */
async function withNames(t: Scope) {
  const clock = fakeClock()
  const one = await scriptedUpstream(t, clock, [{ body: ONE }])
  const other = await scriptedUpstream(t, clock, [{ body: OTHER }], one.port, OTHER)
  const names = { asked: 0, answer: async (): Promise<readonly string[]> => [ONE] }
  const resolve = async (): Promise<readonly LookupAddress[]> => {
    names.asked += 1
    return (await names.answer()).map((address) => ({ address, family: 4 }))
  }
  const proxy = await startProxy(t, {
    clock,
    resolve,
    defaults: { connections: { idle: '1h', resolve: '30s' }, retry: { attempts: 1 }, timeout: { total: '9s' } },
    upstreams: { web: { url: `http://web.test:${one.port}`, listen: '127.0.0.1:0' } },
  })
  const body = async () => (await ask(proxy.own('web'))).body.toString()
  return { clock, one, other, names, proxy, body, url: proxy.own('web') }
}

test('DNS cache: a changed address is found in the background, and old connections are no longer used', async (t) => {
  const { clock, one, names, proxy, body } = await withNames(t)
  expect([await body(), await body(), names.asked, one.connections()]).toEqual([ONE, ONE, 1, 1])
  names.answer = async () => [OTHER]
  expect(await body()).toBe(ONE)
  await clock.elapse(30_000)
  await proxy.logged(({ msg, host }) => msg === 'name changed' && host === 'web.test')
  expect([await body(), await body(), names.asked]).toEqual([OTHER, OTHER, 2])
  expect(await proxy.sample('nameResolutions', { outcome: 'changed' })).toBe(1)
})

test('DNS cache: a resolver that fails or hangs leaves the known addresses in use', async (t) => {
  const { clock, one, names, proxy, body } = await withNames(t)
  await body()
  names.answer = () => Promise.reject(Object.assign(new Error('try again'), { code: 'EAI_AGAIN' }))
  await clock.elapse(30_000)
  expect(await proxy.logged(({ msg }) => msg === 'name not resolved')).toMatchObject({ host: 'web.test' })
  one.dropConnections()
  expect(await body()).toBe(ONE)
  names.answer = () => new Promise(() => {})
  await clock.elapse(30_000)
  one.dropConnections()
  expect([await body(), names.asked, one.connections()]).toEqual([ONE, 3, 3])
  expect(await proxy.sample('nameResolutions', { outcome: 'failed' })).toBe(1)
})

test('DNS cache: an unresolved name gives 502, and the next request resolves again', async (t) => {
  const { names, body, url } = await withNames(t)
  names.answer = () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }))
  expect(problemOf(await ask(url))).toMatchObject({ status: 502, type: 'urn:breakwater:dns_error' })
  names.answer = async () => []
  expect(problemOf(await ask(url)).type).toBe('urn:breakwater:dns_error')
  names.answer = async () => [ONE]
  expect([await body(), names.asked]).toEqual([ONE, 3])
})

test('DNS cache: connections are spread over the addresses of a name', async (t) => {
  const { clock, one, other, names, body } = await withNames(t)
  names.answer = async () => [ONE, OTHER]
  for (let i = 0; i < 6; i += 1) {
    await body()
    one.dropConnections()
    other.dropConnections()
  }
  expect([one.connections(), other.connections()]).toEqual([3, 3])
  // No request uses the name any more, so it is not resolved from the second interval on.
  await clock.advance(300_000)
  expect(names.asked).toBe(2)
})

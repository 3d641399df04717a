/**
 * Of a name with two addresses one took no connection (W22). Connects begin at one address after the other, so every second new
 * connection tried it first and lost time with it, for ever.
 */

import { expect, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { Names } from '../../src/net/dns-cache.ts'
import { fakeClock } from '../support/fake-clock.ts'

const EVERY_MS = 30_000
const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

function cached() {
  const clock = fakeClock()
  const deps: Deps = { clock, random: () => 0, newId: () => '', emit: () => {}, isDraining: () => false }
  const names = new Names(async () => ADDRESSES.map((address) => ({ address, family: 4 as const })), EVERY_MS, deps)
  const inOrder = () =>
    new Promise<string[]>((resolve) =>
      names.lookup('web.test', { all: true }, (_error, found) =>
        resolve(Array.isArray(found) ? found.map(({ address }) => address) : []),
      ),
    )
  return { clock, names, inOrder }
}

test('DNS cache: an address that took no connection is tried last for one refresh interval', async () => {
  const { clock, names, inOrder } = cached()
  await inOrder()
  names.avoid('web.test', '127.0.0.2')
  for (let n = 0; n < 6; n += 1) expect((await inOrder()).at(-1)).toBe('127.0.0.2')
  await clock.advance(EVERY_MS)
  const firsts = new Set<string | undefined>()
  for (let n = 0; n < 3; n += 1) firsts.add((await inOrder())[0])
  expect([...firsts].sort()).toEqual(ADDRESSES)
  names.close()
})

test('DNS cache: the only address of a name is tried, whatever came of it', async () => {
  const clock = fakeClock()
  const deps: Deps = { clock, random: () => 0, newId: () => '', emit: () => {}, isDraining: () => false }
  const names = new Names(async () => [{ address: '127.0.0.1', family: 4 }], EVERY_MS, deps)
  const found = () => new Promise((resolve) => names.lookup('web.test', {}, (_error, address) => resolve(address)))
  await found()
  names.avoid('web.test', '127.0.0.1')
  expect(await found()).toBe('127.0.0.1')
  names.close()
})

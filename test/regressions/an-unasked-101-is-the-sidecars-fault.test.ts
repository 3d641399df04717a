/**
 * A 101 without an Upgrade field, to a request that asked for none, was passed on as an interim response: node refuses
 * to write one, the client got 500 `internal`, and the fault counted as the sidecar's own. (Found by the fuzz, seed
 * 1101.)
 */

import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'

const FORMS: readonly (readonly [name: string, head: string])[] = [
  ['no field', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['no Upgrade', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n'],
  ['both fields', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a/1\r\n\r\n'],
]

for (const [name, head] of FORMS)
  test(`interim: a 101 that was not requested is answered 502 protocol (${name})`, async (t) => {
    const clock = fakeClock()
    const switching: Scene = (request) =>
      void request.socket.write(`${head}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`)
    const upstream = await scriptedUpstream(t, clock, [switching])
    const proxy = await startProxy(t, {
      clock,
      upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0', retry: { attempts: 1 } } },
    })
    const answer = await ask(proxy.own('web'))
    expect([answer.status, problemOf(answer).type]).toEqual([502, 'urn:breakwater:protocol'])
    expect(proxy.log.filter(({ msg }) => msg === 'fault')).toEqual([])
  })

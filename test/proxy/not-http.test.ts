import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const SPACED: Scene = (request) =>
  void request.socket.end('HTTP/1.1 200 OK\r\nset-cookie: id=secret\r\nbad field : x\r\n\r\nhello')

test('a response that is no HTTP: the problem says why, the debug log shows what came', async (t) => {
  const { proxy, url } = await withSidecar(t, [SPACED])
  const answer = await ask(url)
  expect([answer.status, problemOf(answer).type]).toEqual([502, 'urn:breakwater:protocol'])
  expect(problemOf(answer).detail).toMatch(/^not HTTP: /)
  const line = await proxy.logged(({ msg }) => msg === 'not HTTP')
  expect(line).toMatchObject({ upstream: 'web', level: 'debug' })
  expect(line.received).toMatch(/^HTTP\/1\.1 200 OK\\r\\nset-cookie: …\\r\\nbad field : …$/)
  expect(JSON.stringify(proxy.log)).not.toContain('secret')
})

test('a request that is no HTTP: the debug log says why, and shows none of its bytes', async (t) => {
  const { proxy, port } = await withSidecar(t, ['hang'])
  const client = openRaw(port)
  client.send('GET / HTTP/1.1\r\nhost: x\r\nauthorization : Bearer secret\r\n\r\n')
  await client.until(/bad_request/)
  const line = await proxy.logged(({ msg }) => msg === 'not HTTP')
  expect(line.received).toBeUndefined()
  expect(line.detail).not.toBe('')
  expect(JSON.stringify(proxy.log)).not.toContain('secret')
  client.socket.destroy()
})

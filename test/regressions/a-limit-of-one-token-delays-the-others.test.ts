import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const limited: Scene = (request, response) => {
  const isLimited = request.headers.authorization === 'Bearer a'
  response.writeHead(isLimited ? 429 : 200, isLimited ? { 'retry-after': '5' } : {}).end()
}

const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

test('retry-after: a limit of one token makes only its own calls wait', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, [limited], { web: { retry: { attempts: 1 } } })
  expect((await ask(`${url}/x`, as('a'))).status).toBe(429)
  const same = ask(`${url}/x`, as('a'))
  expect((await ask(`${url}/x`, as('b'))).status).toBe(200)
  expect((await ask(`${url}/x`)).status).toBe(200)
  expect(upstream.arrivals).toHaveLength(3)
  await clock.elapse(5_000)
  expect((await same).status).toBe(429)
})

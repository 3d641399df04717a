import { expect, test } from 'vitest'
import { ask } from '../../support/client.ts'
import { withSidecar } from '../../support/sidecar.ts'

test('upstreams: a Retry-After in force is told with the requests that wait for its end', async (t) => {
  const limited = { status: 429, headers: { 'retry-after': '20' } }
  const { clock, proxy, url } = await withSidecar(t, [limited, { body: 'ok' }], { web: { retry: { attempts: 1 } } })
  const pauses = async () =>
    JSON.parse((await ask(`${proxy.controlUrl}/v1/upstreams`)).body.toString()).upstreams[0].pauses
  expect(await pauses()).toEqual([])
  await ask(`${url}/x`)
  expect(await pauses()).toEqual([{ paths: 'GET /x', waiting: 0, ends_in_s: 20 }])
  const waiting = ask(`${url}/x`)
  await clock.armed(20_000)
  await clock.advance(5_000)
  expect(await pauses()).toEqual([{ paths: 'GET /x', waiting: 1, ends_in_s: 15 }])
  await clock.advance(15_000)
  expect((await waiting).status).toBe(200)
  expect(await pauses()).toEqual([])
})

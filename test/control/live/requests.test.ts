import { expect, test } from 'vitest'
import { apiAt } from '../../../src/commands/remote/sidecar.ts'
import { Reading } from '../../../src/commands/remote/tail.ts'
import { ask } from '../../support/client.ts'
import { withSidecar } from '../../support/sidecar.ts'

type Listed = { readonly requests: readonly { readonly path: string }[]; readonly left_out: number }

test('requests: of a second those without trouble are kept up to the hundredth, those with trouble all', async (t) => {
  const { clock, proxy, url } = await withSidecar(t, [{ status: 404 }, {}], { web: { breaker: false } })
  const reading = new Reading(undefined, false)
  const api = apiAt(proxy.controlUrl, '')
  const { signal } = new AbortController()
  await reading.next(api, signal)
  await ask(`${url}/first-of-all`)
  for (let i = 0; i < 103; i += 1) await ask(`${url}/plain`)
  await ask(`${url}/late`)
  const listed = async (): Promise<Listed> =>
    (await fetch(`${proxy.controlUrl}/v1/requests?limit=300`)).json() as Promise<Listed>
  const { requests, left_out } = await listed()
  expect([requests.length, left_out]).toEqual([101, 4])
  expect(requests.map(({ path }) => path)).not.toContain('/late')
  expect(requests.at(-1)?.path).toBe('/first-of-all')
  expect(await reading.next(api, signal)).toMatchObject({ missed: 4, isFull: false })
  await clock.advance(1_000)
  await ask(`${url}/late`)
  expect((await listed()).requests[0]?.path).toBe('/late')
  expect(await reading.next(api, signal)).toMatchObject({ missed: 0, requests: [{ path: '/late' }] })
})

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('X-Forwarded-Host: an absolute target has the authority that it names, not that of Host', async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const raw = openRaw(port)
  raw.send('GET http://me@public.example:81/jobs HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n')
  await raw.ended
  expect(upstream.arrivals[0]?.headers['x-forwarded-host']).toBe('public.example:81')
})

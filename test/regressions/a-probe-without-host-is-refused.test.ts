/** HAProxy's `option httpchk` asks in HTTP/1.0 without Host: the control listener answered 403, and every sidecar was down. */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'

test('control listener: probes, metrics and health are served to a request without Host', async (t) => {
  const { proxy } = await withSidecar(t, [])
  const port = Number(new URL(proxy.controlUrl).port)
  const statusOf = async (path: string, fields = '') => {
    const probe = openRaw(port)
    probe.send(`GET ${path} HTTP/1.0\r\n${fields}\r\n`)
    return (await probe.until(/\r\n/)).split(' ')[1]
  }
  for (const path of ['/livez', '/readyz', '/startupz', '/metrics', '/v1/upstreams'])
    expect([path, await statusOf(path)]).toEqual([path, '200'])
  expect(await statusOf('/livez', 'Host: evil.example\r\n')).toBe('403')
})

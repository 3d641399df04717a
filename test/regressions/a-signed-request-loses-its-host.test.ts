import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** As SigV4 does, in short: the signature covers the method, the target and Host. */
const signature = (method = '', target = '', host = '') =>
  createHmac('sha256', 'secret').update([method, target, host].join('\n')).digest('hex')

const STORE: Scene = ({ method, url, headers }, response) => {
  const isSigned = headers.authorization === signature(method, url, headers.host)
  response.writeHead(isSigned ? 200 : 403).end()
}

test('host: preserve keeps the Host that a client has signed', async (t) => {
  const host = 'bucket.s3.example.com'
  const headers = { host, authorization: signature('GET', '/key', host) }
  const { url } = await withSidecar(t, [STORE], { web: { host: 'preserve' } })
  expect((await ask(`${url}/key`, { headers })).status).toBe(200)
  const plain = await withSidecar(t, [STORE])
  expect((await ask(`${plain.url}/key`, { headers })).status).toBe(403)
})

import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

test.for([
  ['completed', 200],
  ['failed', 503],
] as const)(
  'failureWhen: a probe whose body comes after its head, with a job that has %s',
  async ([status, next], t) => {
    let finish = () => {}
    const json = { 'content-type': 'application/json' }
    const failed: Scene = { headers: json, body: '{"status":"failed"}' }
    const inParts: Scene = (_request, response) => {
      response.writeHead(200, json)
      response.write('{"status":')
      finish = () => response.end(`"${status}"}`)
    }
    const { clock, proxy, url, port, upstream } = await withSidecar(t, [failed, failed, inParts, failed], {
      web: {
        retry: { attempts: 1 },
        breaker: { consecutiveFailures: 2, openFor: '1s', patience: '0s', failureRate: false },
        routes: [{ match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } }],
      },
    })
    await ask(`${url}/jobs/1`)
    await ask(`${url}/jobs/2`)
    expect((await ask(`${url}/jobs/3`)).status).toBe(503)
    await clock.advance(1_100)
    const probe = openRaw(port)
    probe.send('GET /jobs/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await upstream.begun(3)
    await proxy.logged(({ msg }) => msg === 'breaker closed')
    finish()
    await probe.ended
    expect((await ask(`${url}/jobs/4`)).status).toBe(next)
    if (status === 'completed') expect((await ask(`${url}/other`)).status).toBe(200)
  },
)

import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'

test('rewrite: the URLs that a job service answers with lead to the sidecar, and its cookies come back', async (t) => {
  const clock = fakeClock()
  const scenes: Scene[] = []
  const upstream = await scriptedUpstream(t, clock, scenes)
  const at = upstream.origin
  scenes.push({
    status: 202,
    headers: {
      'operation-location': `${at}/operations/7?v=1`,
      'azure-asyncoperation': `${at}/operations/7`,
      link: `<${at}/jobs?page=2>; rel="next", </jobs?page=9>; rel="last", <https://docs.example/>; rel="help"`,
      refresh: `5; url=${at}/jobs/7`,
      'set-cookie': ['session=1; Path=/; HttpOnly', `job=7; Domain=127.0.0.1; Path=/jobs`],
      'content-type': 'application/json',
      etag: '"v1"',
    },
    body: `{"id": 12345678901234567890, "urls": {"get": "${at}/jobs/7", "page": "https://www.example/7"}}`,
  })
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: at, rewrite: { json: ['/urls/get', '/urls/page', '/urls/none'] } } },
  })
  const answer = await ask(`${proxy.url}/web/jobs`, { method: 'POST' })
  const self = `${proxy.url}/web`
  expect(answer.headers).toMatchObject({
    'operation-location': `${self}/operations/7?v=1`,
    'azure-asyncoperation': `${self}/operations/7`,
    link: `<${self}/jobs?page=2>; rel="next", </web/jobs?page=9>; rel="last", <https://docs.example/>; rel="help"`,
    refresh: `5; url=${self}/jobs/7`,
    'set-cookie': ['session=1; Path=/web; HttpOnly', 'job=7; Path=/web/jobs'],
    etag: 'W/"v1"',
  })
  const body = `{"id": 12345678901234567890, "urls": {"get": "${self}/jobs/7", "page": "https://www.example/7"}}`
  expect(answer.body.toString()).toBe(body)
  expect(answer.headers['content-length']).toBe(String(body.length))
})

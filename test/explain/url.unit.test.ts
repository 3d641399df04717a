import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { answerText, answerTo } from '../../src/explain/answer.ts'
import { Unanswerable } from '../../src/explain/explanation.ts'
import { meantByUrl } from '../../src/explain/url.ts'

const FILE = `listen: 127.0.0.1:8080
upstreams:
  api: { url: "http://api:8000/v1", listen: 127.0.0.1:9001, routes: [{ match: "GET /jobs/{id}" }] }
  web: { url: "https://web" }
`

function config() {
  const loaded = loadConfig(FILE, 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded
}

const meant = (url: string) => meantByUrl(config().config, url)

test.each([
  ['http://127.0.0.1:8080/api/jobs/7?x=1', { upstream: undefined, path: '/api/jobs/7?x=1', isShared: true }],
  ['http://localhost:9001/jobs/7#top', { upstream: 'api', path: '/jobs/7', isShared: false }],
  ['http://localhost:9001?x=1', { upstream: 'api', path: '/?x=1', isShared: false }],
  ['http://API:8000/v1/jobs/7', { upstream: 'api', path: '/jobs/7', isShared: false }],
  ['https://web/a/../b', { upstream: 'web', path: '/a/../b', isShared: false }],
  ['/jobs/7', undefined],
])('explain: a URL says which listener or upstream is meant: %s', (url, expected) => {
  expect(meant(url)).toEqual(expected)
})

test('explain: a URL that leads nowhere names the listeners', () => {
  expect(() => meant('http://127.0.0.1:1234/x')).toThrow(
    new Unanswerable(
      'no listener has the port 1234, and no upstream that address; there are 127.0.0.1:8080 (shared), 127.0.0.1:9001 (api)',
    ),
  )
  expect(() => meant('http://127.0.0.1:8081/x')).toThrow(/8081 is the control listener/)
})

test.each([
  ['TRACE', '/api/x', undefined, 405, 'method_refused'],
  ['CONNECT', '/api/x', undefined, 405, 'method_refused'],
  ['GET', '/../x', undefined, 400, 'bad_target'],
  ['GET', '/api/../b', undefined, 400, 'bad_target'],
  ['GET', '/%2e%2e/b', 'web', 400, 'bad_target'],
  ['OPTIONS', '*', undefined, 400, 'bad_target'],
  ['GET', '/api/a b', undefined, 400, 'bad_request'],
  ['GET', '/a\u007fb', 'web', 400, 'bad_request'],
])('explain: says what the sidecar itself answers: %s %s', (method, path, upstream, status, reason) => {
  const loaded = config()
  const answer = answerTo(loaded.config, loaded.origins, { method, path, upstream, inputs: {} })
  expect(answer).toMatchObject({ refused: { status, reason } })
  expect(answerText(answer)).toContain(`the sidecar answers ${status} (${reason}) itself`)
})

test('explain: on the shared listener an unknown first segment is a 404; dots that stay below the root pass', () => {
  const { config: loaded, origins } = config()
  const base = { method: 'GET', upstream: undefined, inputs: {} }
  expect(answerTo(loaded, origins, { ...base, path: '/nope/x', isShared: true })).toMatchObject({
    refused: { status: 404 },
  })
  expect(answerTo(loaded, origins, { ...base, path: '/api/a/../jobs' })).toMatchObject({ upstream: { name: 'api' } })
})

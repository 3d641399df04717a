import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { curlOf } from '../../src/dashboard/curl.js'
import { hashOf, routeOf, withQuery } from '../../src/dashboard/router.js'
import type { ConfigView } from '../../src/dashboard/shapes.ts'

test.for([
  ['', 'now', ''],
  ['#/', 'now', ''],
  ['#main', 'now', ''],
  ['#/upstreams', 'now', ''],
  ['#/upstreams/web', 'upstreams', 'web'],
  ['#/requests', 'requests', ''],
  ['#/requests/a%2Fb', 'requests', 'a/b'],
  ['#/requests/%', 'requests', '%'],
  ['#/explain?path=/web/x%3Fa=1', 'explain', ''],
  ['#/nothing/of/the/kind', 'now', ''],
] as const)('route of "%s"', ([hash, view, id]) => {
  expect(routeOf(hash)).toMatchObject({ view, id })
})

test('a hash leads back to its view, and an explanation keeps its question', () => {
  expect(routeOf(hashOf('requests', 'a/b?c#d'))).toMatchObject({ view: 'requests', id: 'a/b?c#d' })
  expect(routeOf('#/explain?path=/web/x%3Fa=1').query.get('path')).toBe('/web/x?a=1')
})

test.for([
  ['', 'containing', 'web', '#/?containing=web'],
  ['#/requests?troubled=yes', 'containing', 'a b', '#/requests?troubled=yes&containing=a+b'],
  ['#/requests?troubled=yes', 'troubled', '', '#/requests'],
] as const)('the address %s with %s=%s', ([hash, key, value, expected]) => {
  expect(withQuery(hash, key, value)).toBe(expected)
})

const config = (upstream: object): ConfigView => ({
  version: '',
  file: '',
  since: '',
  last_reload: null,
  config: { listen: { host: '127.0.0.1', port: 8080 }, upstreams: [{ name: 'web', ...upstream }] },
})

test.for([
  ['GET', '/web/x', {}, 'curl -i http://127.0.0.1:8080/web/x'],
  ['HEAD', '/x', { listen: { host: '::1', port: 9 } }, "curl -i -I 'http://[::1]:9/x'"],
  ['POST', "/web/it's $(rm)", {}, `curl -i -X POST 'http://127.0.0.1:8080/web/it'\\''s $(rm)'`],
  ["A'B", '/web/x', {}, `curl -i -X 'A'\\''B' http://127.0.0.1:8080/web/x`],
] as const)('curl of %s %s', ([method, path, upstream, expected]) => {
  expect(curlOf({ method, path, upstream: 'web' }, config(upstream))).toBe(expected)
})

test.for([
  ['http://jaeger:16686/trace/{trace_id}', true],
  ['', true],
  ['http://jaeger:16686/', false],
  ['javascript:alert(1)//{trace_id}', false],
] as const)('tracing.link "%s" is accepted: %s', ([link, isAccepted]) => {
  const text = JSON.stringify({ upstreams: { web: { url: 'http://x' } }, tracing: { link } })
  expect(loadConfig(text, 'x.yaml', {}).ok).toBe(isAccepted)
})

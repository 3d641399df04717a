/** A sidecar with two upstreams, as the page's tests need it. */

import { ask } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const TOP = {
  job: { inputs: { shorts_count: { default: 10, min: 0, max: 10_000 } } },
  timeouts: { total: { base: '60s', per: { shorts_count: '4s' }, min: '30s', max: '1h' } },
}
export const FAILS: Scene = { status: 503, headers: { connection: 'close' } }

export async function withPage(t: Scope, scenes: readonly Scene[] = [{ body: 'ok' }], top: object = {}) {
  const settings = { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, openFor: '10s', patience: '0ms' } }
  const fixture = await withSidecar(t, scenes, {
    random: () => 0,
    top: { ...TOP, ...top },
    web: settings,
    others: (url) => ({ 'with-routes': { url, ...settings, routes: [{ match: 'GET /own', breaker: {} }] } }),
  })
  const tell = (method: string, path: string, body: object, headers = {}) =>
    ask(`${fixture.proxy.controlUrl}/v1/${path}`, { method, headers, body: JSON.stringify(body) })
  return { ...fixture, tell }
}

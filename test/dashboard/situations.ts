/** Eight situations of a sidecar before six upstreams, for the tests of the page and for its pictures. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { ask } from '../support/client.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { freePort } from '../support/ports.ts'
import { type Sidecar, startProxy } from '../support/proxy.ts'
import { type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

const NAMES = ['audio-transcriber', 'geocoder', 'mail', 'payments', 'video-downloader', 'youtube-search'] as const
type Name = (typeof NAMES)[number]
/** What an upstream does with a request. */
type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

export type Stage = {
  readonly clock: FakeClock
  readonly proxy: Sidecar
  /** Makes an upstream behave otherwise from now on. */
  readonly becomes: (name: Name, behaviour: Behaviour) => void
  /** Lets seconds pass, with requests to every upstream in each. @param more requests to one of them, besides. */
  readonly pass: (
    seconds: number,
    more?: { readonly to: Name; readonly path?: string; readonly count: number },
  ) => Promise<void>
  readonly tell: (method: string, path: string, body: object) => Promise<unknown>
}

/** `says`: what the sentence at the top has to say; `top`: further keys of the configuration. */
export type Situation = {
  readonly name: string
  readonly says: RegExp
  readonly top?: () => Promise<object>
  readonly settings?: Partial<Record<Name, object>>
  readonly play: (stage: Stage) => Promise<void>
}

const well: Behaviour = (_, response) => response.end('ok')
const fails =
  (status: number, headers = {}): Behaviour =>
  (_, response) =>
    response.writeHead(status, headers).end('no')

/** Seconds before and after the trouble begins. A test takes fewer than a picture. */
export type Length = { readonly before: number; readonly after: number }
export const SHORT: Length = { before: 4, after: 6 }
export const LONG: Length = { before: 150, after: 100 }

export const situationsOf = ({ before, after }: Length): readonly Situation[] => [
  {
    name: 'healthy',
    says: /^All 6 upstreams are well: [\d,]+ requests in the last .*\. Nothing to do\.$/,
    play: async ({ pass, becomes }) => {
      await pass(before)
      becomes('mail', once(fails(503), well))
      await pass(after)
    },
  },
  {
    name: 'upstream-down',
    says: /^audio-transcriber is down .*503.* since .*: of .* requests .*failed, .*refused.*\. /,
    play: async ({ pass, becomes }) => {
      await pass(before)
      becomes('audio-transcriber', fails(503))
      await pass(after, { to: 'audio-transcriber', count: 2 })
    },
  },
  {
    name: 'route-broken',
    says: /^video-downloader is broken at GET \/jobs\/\{id\}\/download .*500.* since .*failed/,
    settings: {
      'video-downloader': { routes: [{ match: 'GET /jobs/{id}/download', breaker: { consecutiveFailures: 3 } }] },
    },
    play: async ({ pass, becomes }) => {
      await pass(before)
      becomes('video-downloader', (request, response) =>
        (request.url?.includes('/download') ? fails(500) : well)(request, response),
      )
      await pass(after, { to: 'video-downloader', path: '/jobs/7/download', count: 2 })
    },
  },
  {
    name: 'rate-limited',
    says: /^youtube-search asks for fewer requests \(429\).*: of .* attempts? answered 429.*; \d+ requests wait now\. The sidecar sends the waiting ones when its Retry-After ends, in .*; send it less/,
    play: async ({ pass, becomes }) => {
      await pass(before)
      becomes('youtube-search', fails(429, { 'retry-after': '20' }))
      await pass(Math.min(after, 45), { to: 'youtube-search', count: 3 })
    },
  },
  {
    name: 'store-down',
    says: /^The checkpoint store is down \(.*\).*: jobs can neither save nor load checkpoints; .*\. /,
    top: async () => ({ checkpoints: { store: `redis://127.0.0.1:${await freePort()}/0` } }),
    play: async ({ pass }) => pass(before + after),
  },
  {
    name: 'refused-reload',
    says: /^The changed configuration was refused \(line \d+: defaults\.retry\.atempts: unknown key.*\) since .*the earlier one stays in force/,
    play: async ({ proxy, pass, tell }) => {
      await pass(before)
      proxy.rewrite({ defaults: { retry: { atempts: 3 } } })
      await tell('POST', 'config/reload', {})
      await pass(after)
    },
  },
  {
    name: 'forced-breaker',
    says: /^payments is forced open by ada, without an end: “its index is rebuilt” since .* \(3 d 0 h\): of .*refused.*\. Set it to automatic if that is over\.$/,
    play: async ({ clock, pass, tell }) => {
      await tell('PUT', 'upstreams/payments/breaker', {
        mode: 'forced-open',
        reason: 'its index is rebuilt',
        by: 'ada',
      })
      clock.jumpWall(3 * 86_400_000)
      await pass(before + after)
    },
  },
  {
    name: 'overload',
    says: /^geocoder gets more requests than its limits let through .*queue_full.*: of .*refused/,
    settings: { geocoder: { concurrency: { max: 2, queue: 2 } } },
    play: async ({ pass, becomes, clock }) => {
      await pass(before)
      becomes('geocoder', (_, response) => void clock.after(1_500, () => response.end('late')))
      await pass(after, { to: 'geocoder', count: 8 })
    },
  },
]

const once = (first: Behaviour, then: Behaviour): Behaviour => {
  let isFirst = true
  return (request, response) => {
    const now = isFirst ? first : then
    isFirst = false
    now(request, response)
  }
}

/** Starts the sidecar and plays the situation. */
export async function stage(t: Scope, { top, settings = {}, play }: Situation): Promise<Stage> {
  const clock = fakeClock()
  const behaviours = new Map<string, Behaviour>()
  const { origin } = await scriptedUpstream(t, clock, [
    (request, response) => {
      request.resume()
      ;(behaviours.get(request.url?.split('/')[1] ?? '') ?? well)(request, response)
    },
  ])
  const common = {
    retry: { attempts: 2, backoff: { initial: '100ms' } },
    breaker: { consecutiveFailures: 5, openFor: '10s', patience: '0ms' },
  }
  const upstreams = Object.fromEntries(
    NAMES.map((name) => [name, { url: `${origin}/${name}`, ...common, ...settings[name] }]),
  )
  const proxy = await startProxy(t, {
    clock,
    upstreams,
    random: () => 0,
    top: { service: 'make-video', ...(await top?.()) },
  })
  const call = (name: string, path: string) =>
    ask(`${proxy.url}/${name}${path}`).then(
      () => undefined,
      () => undefined,
    )
  const made: Promise<void>[] = []
  const pass: Stage['pass'] = async (seconds, more) => {
    for (let second = 0; second < seconds; second += 1) {
      for (const [i, name] of NAMES.entries()) if ((second + i) % 2 === 0) made.push(call(name, '/jobs/7'))
      for (let i = 0; i < (more?.count ?? 0); i += 1) made.push(call(more?.to ?? '', more?.path ?? '/jobs/7'))
      // What is answered at once is answered before the clock moves on; the rest waits for the clock.
      await Promise.race([Promise.all(made.splice(0)), new Promise((resolve) => setTimeout(resolve, 50))])
      for (let step = 0; step < 4; step += 1) await clock.advance(250)
    }
  }
  const playing: Stage = {
    clock,
    proxy,
    becomes: (name, behaviour) => void behaviours.set(name, behaviour),
    pass,
    tell: (method, path, body) => ask(`${proxy.controlUrl}/v1/${path}`, { method, body: JSON.stringify(body) }),
  }
  await play(playing)
  return playing
}

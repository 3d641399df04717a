import type { Clock } from '../../src/clock.ts'
import { type FakeClock, fakeClock } from './fake-clock.ts'
import { type ProxyOptions, type Sidecar, startProxy } from './proxy.ts'
import { type Scene, type Scope, type ScriptedUpstream, scriptedUpstream } from './scripted-upstream.ts'

type Scenes<C extends Clock> = readonly Scene[] | ((clock: C) => readonly Scene[])

type SidecarOptions = Omit<ProxyOptions, 'clock' | 'upstreams'> & {
  /** Settings of the upstream `web`, beside its address and its listener. */
  readonly web?: object
  /** Returns further upstreams; called with the origin of the scripted one. */
  readonly others?: (origin: string) => Readonly<Record<string, object>>
  /** Path that `url` ends with. */
  readonly path?: string
}

type Fixture<C extends Clock> = {
  readonly clock: C
  /** The server behind `web`. */
  readonly upstream: ScriptedUpstream
  readonly proxy: Sidecar
  /** URL of the listener of `web`, with `path`. */
  readonly url: string
  /** Port of the listener of `web`. */
  readonly port: number
}

/** Starts a sidecar on a fake clock, before one scripted upstream, `web`, which has a listener of its own. */
export const withSidecar = (
  t: Scope,
  scenes: Scenes<FakeClock>,
  options: SidecarOptions = {},
): Promise<Fixture<FakeClock>> => sidecarOn(t, fakeClock(), scenes, options)

/** As `withSidecar`, on a clock of the test's choice. */
export async function sidecarOn<C extends Clock>(
  t: Scope,
  clock: C,
  scenes: Scenes<C>,
  { web = {}, others, path = '', ...options }: SidecarOptions = {},
): Promise<Fixture<C>> {
  const upstream = await scriptedUpstream(t, clock, typeof scenes === 'function' ? scenes(clock) : scenes)
  const proxy = await startProxy(t, {
    ...options,
    clock,
    upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0', ...web }, ...others?.(upstream.origin) },
  })
  const listener = proxy.own('web')
  return { clock, upstream, proxy, url: `${listener}${path}`, port: Number(new URL(listener).port) }
}

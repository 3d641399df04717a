import { afterAll } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { type Sidecar, startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** Starts a sidecar before a server. Nothing is retried: a request that fails is seen by its client. */
export async function sidecarBefore(t: Scope, origin: string): Promise<{ proxy: Sidecar; url: string; port: number }> {
  const settings = { retry: { attempts: 1 }, breaker: { patience: '0ms' } }
  const proxy = await startProxy(t, {
    clock: systemClock,
    top: { log: { level: 'info', access: true } },
    upstreams: { web: { url: origin, listen: '127.0.0.1:0', ...settings } },
  })
  const url = proxy.own('web')
  return { proxy, url, port: Number(new URL(url).port) }
}

/** @returns a scope that ends with the suite: for servers that several tests share. */
export function suiteScope(): Scope {
  const cleanUps: (() => unknown)[] = []
  afterAll(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp()
  })
  return { onTestFinished: (cleanUp) => void cleanUps.push(cleanUp) }
}

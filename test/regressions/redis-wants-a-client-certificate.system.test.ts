import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { breakwater } from '../support/command.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { fixture } from '../support/tls-upstream.ts'

needs('redis-server', hasRedis)

test.runIf(hasRedis)('Redis: store, health check, broker and command bring a client certificate', async (t) => {
  const port = await freePort()
  const files = ['--tls-cert-file', fixture('server.pem'), '--tls-key-file', fixture('server.key')]
  const demand = ['--tls-ca-cert-file', fixture('ca.pem'), '--tls-auth-clients', 'yes']
  await startRedis(t, { config: ['--tls-port', `${port}`, ...files, ...demand] })
  const redis = `rediss://127.0.0.1:${port}/0`
  const trusted = { ca: fixture('ca.pem') }
  const own = { ...trusted, cert: fixture('client.pem'), key: fixture('client.key') }
  const healthWith = async (tls: object) => {
    const proxy = await startProxy(t, {
      clock: systemClock,
      top: {
        checkpoints: { store: redis, tls },
        health: { redis, tls, celery: { broker: redis, tls, timeout: '50ms' } },
      },
      upstreams: { web: { url: 'http://127.0.0.1:9' } },
    })
    const { checks } = JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString())
    const { checkpoint_store, redis: cache, celery_workers } = checks
    return [checkpoint_store.details, cache.details, celery_workers.details]
  }
  expect(await healthWith(own)).toEqual(['write, read and delete ok', 'PING, SET and GET ok', 'no workers'])
  for (const details of await healthWith(trusted))
    expect(details).toMatch(/certificate required|not connected|ended|ECONNRESET/)

  const list = (...options: string[]) =>
    breakwater(t, ['checkpoints', 'ls', '--store', redis, '--ca', own.ca, ...options]).ended
  expect((await list('--cert', own.cert, '--key', own.key)).code).toBe(0)
  expect((await list()).code).toBe(1)
})

test.each([
  'checkpoints: { tls: { cert: a } }',
  'health: { tls: { cert: a } }',
  'health: { celery: { tls: { cert: a } } }',
])('%s: a certificate without its key is a fault', async (top) => {
  const { loadConfig } = await import('../../src/config/load.ts')
  const loaded = loadConfig(`${top}\nupstreams: { web: { url: http://web } }\n`, 'proxy.yaml', {})
  expect(loaded.ok ? [] : loaded.faults.map(({ message }) => message)).toEqual(['needs tls.key, too'])
})

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { hasHttpx, hasNewestHttpx, PYTHON, PYTHON_CLIENT, PYTHON_NEWEST } from '../support/python.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

const run = promisify(execFile)

needs('python3-httpx', hasHttpx)
needs('redis-server', hasRedis)

needs('httpx 0.28.1 (of PyPI)', hasNewestHttpx)

const CASES = [
  ['memory:', 'oldest', PYTHON],
  ['redis', 'oldest', PYTHON],
  ...(hasNewestHttpx ? [['memory:', 'newest', PYTHON_NEWEST] as const] : []),
] as const

test.runIf(hasHttpx && hasRedis).for(CASES)(
  'the tests of the Python client pass against a sidecar whose store is %s, with the %s httpx',
  { timeout: 60_000 },
  async ([kind, , python], t) => {
    const redis = await startRedis(t)
    const store = kind === 'redis' ? `redis://127.0.0.1:${redis.port}` : kind
    const { job, timeouts } = parse(readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8'))
    const sidecar = (top: object) =>
      startProxy(t, {
        clock: systemClock,
        top: { checkpoints: { store }, job, timeouts, ...top },
        upstreams: { web: { url: 'http://127.0.0.1:9' } },
      })
    const { controlUrl } = await sidecar({})
    const guarded = await sidecar({ control: { listen: '127.0.0.1:0', token: 's3cret' } })
    await ask(`${controlUrl}/v1/checkpoints/ours`, {
      method: 'PUT',
      body: JSON.stringify({ stage: 's', completed_items: 2, total_items: 2, item_ids: ['a', 'ü'] }),
    })
    const record = await redis.command('GET', 'checkpoint:granular:ours')
    const env = {
      ...(record === null ? {} : { BREAKWATER_RECORD: String(record) }),
      PYTHONPATH: PYTHON_CLIENT,
      PYTHONDONTWRITEBYTECODE: '1',
      BREAKWATER_URL: controlUrl,
      BREAKWATER_GUARDED: guarded.controlUrl,
      BREAKWATER_AWAY: `http://127.0.0.1:${await freePort()}`,
      // The client has to ignore HTTP_PROXY for calls of the sidecar.
      HTTP_PROXY: 'http://127.0.0.1:9',
    }
    const script = join(import.meta.dirname, '../../clients/python/tests/test_client.py')
    const { stderr } = await run(python, [script], { env })
    expect(stderr).toMatch(kind === 'redis' ? /Ran \d+ tests[\s\S]*OK\n$/ : /Ran \d+ tests[\s\S]*OK \(skipped=1\)/)
  },
)

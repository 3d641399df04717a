import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { needs } from '../support/needs.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { hasHttpx, PYTHON } from '../support/python.ts'

const run = promisify(execFile)

/** A transcriber whose jobs all report failure with status 200, until a request for /repaired. */
async function transcriber(t: TestContext) {
  const counts = { uploads: 0 }
  let isBroken = true
  const server = createServer(async (request, response) => {
    request.resume()
    await once(request, 'end')
    const answer = (body: object) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    if (request.url === '/repaired') {
      isBroken = false
      return answer({})
    }
    if (request.method === 'GET') return answer({ status: isBroken ? 'failed' : 'completed' })
    counts.uploads += 1
    return answer({ id: `at_${counts.uploads}`, status: 'queued' })
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close().closeAllConnections())
  return { counts, port }
}

needs('python3-httpx', hasHttpx)

test.runIf(hasHttpx)(
  'failureWhen: after 5 failed jobs in 200 responses uploads get 503 at once; a probe closes the breaker',
  { timeout: 60_000 },
  async (t) => {
    const N = 5
    const { counts, port } = await transcriber(t)
    const other = await transcriber(t)
    const jobs = { match: 'GET /jobs/{id}', failureWhen: { json: '/status', in: ['failed'], oncePer: 'id' } }
    const routes = [{ match: 'POST /jobs', idempotent: true }, jobs]
    const proxy = await startProxy(t, {
      clock: systemClock,
      defaults: { breaker: { consecutiveFailures: N, openFor: '2s', patience: '0ms' } },
      upstreams: {
        transcriber: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', routes },
        other: { url: `http://127.0.0.1:${other.port}`, listen: '127.0.0.1:0', routes: [{ match: 'GET /jobs/{id}' }] },
      },
    })
    const args = [join(import.meta.dirname, 'outage.py'), proxy.own('transcriber'), proxy.own('other'), String(port)]
    const { stdout } = await run(PYTHON, args)
    const { outage, refused, others, recovered } = JSON.parse(stdout)
    expect(outage.map(([what]: [unknown]) => what)).toEqual([...Array(N).fill('failed'), 503])
    expect(new Set(refused.map(([what]: [unknown]) => what))).toEqual(new Set([503]))
    expect(refused.map(([, , after]: [unknown, unknown, string]) => Number(after) > 0 && Number(after) <= 3)).toEqual(
      Array(20).fill(true),
    )
    expect(others).toEqual([200, 200, 200, 200, 200])
    expect(recovered).toBe('completed')
    expect(counts.uploads).toBe(N + 1)
  },
)

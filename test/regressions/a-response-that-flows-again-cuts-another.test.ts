/**
 * All parsers of undici share one state. Node may emit `drain` for one response while a chunk of another one is
 * written. The first response, resumed inside the parser of the second, found the state in use: it was cut, and
 * counted as a fault of the sidecar. (Found by the fuzz, seed 303.)
 */

import { expect, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { type BodySink, newExchange, type Reply } from '../../src/policy/exchange.ts'
import { freshGroup } from '../../src/policy/paths/group.ts'
import { Link } from '../../src/policy/link.ts'
import { connectTo } from '../../src/proxy/upstream/transport.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'

const BYTES = 1024 * 1024
const TIMEOUTS = { connectMs: 1, attemptMs: 1, totalMs: 1, idleMs: 1, usefulMs: 1 }
const ROUTE = {
  ref: { upstream: 'web', route: '*' },
  idempotent: false,
  idempotentMethods: new Set<string>(),
  jobs: undefined,
  groupOf: freshGroup,
}

test('relay: a response that is resumed while another one is parsed arrives whole', async (t) => {
  const clock = fakeClock()
  const answer: Scene = (_request, response) => response.end(Buffer.alloc(BYTES, '.'))
  const upstream = await scriptedUpstream(t, clock, [answer, answer])
  const deps: Deps = { clock, random: () => 0, newId: () => '', emit: () => {}, isDraining: () => false }
  const tls = { ca: '', servername: '', cert: '', key: '', http2: false }
  const settings = { origin: new URL(upstream.origin), idleMs: 1_000, resolveMs: 1_000, ...tls }
  const resolve = async () => [{ address: '127.0.0.1', family: 4 as const }]
  const connections = connectTo(settings, resolve, () => 65_536, deps)
  t.onTestFinished(() => connections.close())

  const head = () =>
    new Promise<Reply>((resolve, reject) => {
      const request = {
        id: '',
        method: 'GET',
        path: '/',
        target: '/',
        headers: [],
        body: undefined,
        upgrade: undefined,
        hasIdempotencyKey: false,
        startedAt: 0,
        clientTimeoutMs: undefined,
        jobDeadlineAt: undefined,
        job: undefined,
        newJob: undefined,
        timeouts: TIMEOUTS,
        client: new Link(() => {}),
        readsWhole: () => false,
        trace: undefined,
      }
      const nothing = () => {}
      connections.send(newExchange(request, ROUTE), {
        started: nothing,
        progressed: nothing,
        sent: nothing,
        head: resolve,
        failed: (_code, cause) => reject(cause),
      })
    })

  const [slow, other] = await Promise.all([head(), head()])
  const paused = Promise.withResolvers<void>()
  let isOtherOver = false
  const slowBody = collect(slow, () => {
    paused.resolve()
    return isOtherOver
  })
  await paused.promise
  const otherBody = collect(other, () => {
    slow.resume()
    return true
  })
  expect(await otherBody).toBe(BYTES)
  isOtherOver = true
  slow.resume()
  expect(await slowBody).toBe(BYTES)
})

/** Reads a body. @param goesOn called for each chunk; false pauses. @returns its bytes, or why it broke off. */
function collect(reply: Reply, goesOn: () => boolean): Promise<number | string> {
  return new Promise((resolve) => {
    let bytes = 0
    const sink: BodySink = {
      data: (chunk) => {
        bytes += chunk.length
        return goesOn()
      },
      end: () => resolve(bytes),
      fail: resolve,
    }
    reply.pipe(sink)
  })
}

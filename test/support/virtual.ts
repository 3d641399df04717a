import type { Config } from '../../src/config/schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatFaults } from '../../src/config/file/faults.ts'
import { type FaultCode, ProxyError } from '../../src/errors.ts'
import type { Event } from '../../src/events.ts'
import { type CallWatch, type Exchange, newExchange, type Timeouts, type Transport } from '../../src/policy/exchange.ts'
import type { Deps } from '../../src/deps.ts'
import { Link } from '../../src/policy/link.ts'
import { WholeReply, wholeBody } from '../../src/policy/whole.ts'
import { routeFor } from '../../src/proxy/route.ts'
import { compile, type Runtime } from '../../src/runtime/runtime.ts'
import type { FakeClock } from './fake-clock.ts'

/** What becomes of a call that has reached an endpoint: its answer, so many ms after it was sent. @param json its body. */
export type Service = (exchange: Exchange, answer: AnswerCall, fail: FailCall) => void

type AnswerCall = (status: number, afterMs: number, json?: object, headers?: readonly string[]) => void
type FailCall = (code: FaultCode, afterMs: number) => void

/** A client's result: a status, or the fault code when there is none, after `ms` of the clock. */
export type Got = {
  readonly outcome: number | string
  readonly ms: number
  readonly attempts: number
  readonly body: string
  /** Retry-After of a fault, in seconds. */
  readonly retryAfterS: number | undefined
}

/** Random numbers, uniform in [0, 1) and the same for the same seed: mulberry32 (T. Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export type Virtual = {
  readonly runtime: Runtime
  /** Events so far; `at` is the clock's time in ms. */
  readonly events: readonly (Event & { readonly at: number })[]
  /** Sends a GET to the only upstream. @param timeoutMs the client's own timeout. */
  get(path: string, timeoutMs?: number, leavesAfterMs?: number): Promise<Got>
}

/**
 * Runs the policies without sockets, on a fake clock: thousands of exchanges in the time that a few take over sockets.
 * For results that need many exchanges; the behavior of a single one is tested through the whole sidecar.
 * @param services handlers by the origin of their endpoint.
 */
export function virtualSidecar(
  clock: FakeClock,
  upstream: object,
  services: Readonly<Record<string, Service>>,
  random: () => number,
): Virtual {
  const events: (Event & { at: number })[] = []
  let ids = 0
  const newId = () => {
    ids += 1
    return String(ids)
  }
  const deps: Deps = {
    clock,
    random,
    newId,
    emit: (event) => void events.push({ ...event, at: clock.now() }),
    isDraining: () => false,
  }
  const config = configOf({ urls: Object.keys(services), ...upstream })
  const runtime = compile(
    config,
    new Map(),
    ({ origin }) => ({
      send: transportTo(services[origin.origin], clock),
      open: () => 0,
      retire: () => {},
      close: async () => {},
    }),
    { readText: () => '', sourceOf: () => ({ value: '' }) },
    deps,
  )
  return {
    runtime,
    events,
    get: (path, timeoutMs, leavesAfterMs) => send(path, timeoutMs, leavesAfterMs, runtime, clock, newId()),
  }
}

function configOf(upstream: object): Config {
  const loaded = loadConfig(JSON.stringify({ upstreams: { web: upstream } }), 'virtual.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded.config
}

function transportTo(service: Service | undefined, clock: FakeClock): Transport {
  return (exchange, watch) => {
    let isOver = false
    queueMicrotask(() => {
      if (isOver) return
      watch.started(undefined)
      watch.sent()
      const later = (afterMs: number, act: () => void) => {
        clock.after(afterMs, () => {
          if (!isOver) act()
          isOver = true
        })
      }
      service?.(
        exchange,
        (status, afterMs, json, headers) => later(afterMs, () => answer(status, json, headers, watch)),
        (code, afterMs) => later(afterMs, () => watch.failed(code, undefined)),
      )
    })
    return {
      abort: () => {
        isOver = true
      },
      untaken: () => 0,
    }
  }
}

function answer(status: number, json: object | undefined, given: readonly string[] = [], watch: CallWatch): void {
  const headers = json === undefined ? [...given] : [...given, 'content-type', 'application/json']
  watch.head(new WholeReply({ status, statusText: '', headers }, Buffer.from(JSON.stringify(json ?? 'done'))))
}

async function send(
  path: string,
  timeoutMs: number | undefined,
  leavesAfterMs: number | undefined,
  { upstreams }: Runtime,
  clock: FakeClock,
  id: string,
): Promise<Got> {
  const upstream = upstreams.get('web')
  if (upstream === undefined) throw new Error('no upstream')
  const route = routeFor(upstream, 'GET', path, path, [])
  const startedAt = clock.now()
  const client = new Link(() => {})
  const leaving = leavesAfterMs && clock.after(leavesAfterMs, () => client.leave('client_gone'))
  const request = {
    id,
    method: 'GET',
    path,
    target: path,
    headers: [],
    body: undefined,
    upgrade: undefined,
    hasIdempotencyKey: false,
    startedAt,
    clientTimeoutMs: timeoutMs,
    jobDeadlineAt: undefined,
    timeouts: route.timeouts as Timeouts,
    client,
    trace: undefined,
  }
  const exchange = newExchange(request, route)
  const got = await route.send(exchange).then(
    async (reply) => ({
      outcome: reply.status,
      body: String(await wholeBody(reply, 1_000_000, exchange, clock)),
      retryAfterS: undefined,
    }),
    (error: unknown) => {
      if (error instanceof ProxyError) return { outcome: error.code, body: '', retryAfterS: error.retryAfterS }
      throw error
    },
  )
  if (leaving) clock.cancel(leaving)
  return { ...got, ms: clock.now() - startedAt, attempts: exchange.attempts }
}

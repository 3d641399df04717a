import type { Config } from '../../src/config/schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatFaults } from '../../src/config/faults.ts'
import { ProxyError } from '../../src/errors.ts'
import type { Event } from '../../src/policy/events.ts'
import type { CallWatch, Deps, Exchange, Timeouts, Transport } from '../../src/policy/exchange.ts'
import { Link } from '../../src/policy/link.ts'
import { WholeReply } from '../../src/policy/whole.ts'
import { routeFor } from '../../src/proxy/route.ts'
import { compile, type Runtime } from '../../src/runtime.ts'
import type { FakeClock } from './fake-clock.ts'

/** What becomes of a call that has reached an endpoint: its answer, `ms` after it was sent. */
export type Service = (exchange: Exchange, answer: (status: number, afterMs: number) => void) => void

/** A stream of uniform numbers in [0, 1) that is the same each time: mulberry32 (T. Ettinger, public domain). */
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
  readonly events: readonly Event[]
  /** Sends a GET to the only upstream. @returns the status, or the reason why there is none; and when, in ms of the clock. */
  get(path: string): Promise<{ readonly outcome: number | string; readonly ms: number; readonly attempts: number }>
}

/**
 * The policies without sockets: thousands of exchanges in the time that a few take over real ones, on a clock that stands
 * still. For what only shows in numbers; what a single exchange meets is tested through the whole sidecar.
 * @param services by origin.
 */
export function virtualSidecar(
  clock: FakeClock,
  upstream: object,
  services: Readonly<Record<string, Service>>,
  random: () => number,
): Virtual {
  const events: Event[] = []
  let ids = 0
  const newId = () => {
    ids += 1
    return String(ids)
  }
  const deps: Deps = { clock, random, newId, emit: (event) => void events.push(event) }
  const config = configOf({ urls: Object.keys(services), ...upstream })
  const runtime = compile(
    config,
    ({ origin }) => ({ send: transportTo(services[origin.origin], clock), open: () => 0, close: async () => {} }),
    () => '',
    deps,
  )
  return { runtime, events, get: (path) => send(path, runtime, clock, newId()) }
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
      service?.(exchange, (status, afterMs) => {
        clock.after(afterMs, () => {
          if (!isOver) answer(status, watch)
          isOver = true
        })
      })
    })
    return {
      abort: () => {
        isOver = true
      },
    }
  }
}

function answer(status: number, watch: CallWatch): void {
  const head = { status, statusText: '', headers: [] }
  watch.head(new WholeReply(head, Buffer.from('done')))
}

async function send(path: string, { upstreams }: Runtime, clock: FakeClock, id: string) {
  const upstream = upstreams.get('web')
  if (upstream === undefined) throw new Error('no upstream')
  const route = routeFor(upstream, 'GET', path)
  const startedAt = clock.now()
  const exchange: Exchange = {
    id,
    route: route.ref,
    method: 'GET',
    target: path,
    headers: [],
    body: undefined,
    upgrade: undefined,
    idempotent: true,
    startedAt,
    clientTimeoutMs: undefined,
    jobDeadlineAt: undefined,
    timeouts: route.timeouts as Timeouts,
    client: new Link(() => {}),
    jobs: route.jobs,
    path,
    deadlineAt: Number.POSITIVE_INFINITY,
    deadlineFault: 'total_timeout',
    attempts: 0,
    headMs: undefined,
    tried: [],
    history: [],
    attemptTimeoutMs: Number.POSITIVE_INFINITY,
    spent: { queueMs: 0, backoffMs: 0, connectMs: 0 },
  }
  const outcome = await route.send(exchange).then(
    (reply) => reply.status,
    (error: unknown) => {
      if (error instanceof ProxyError) return error.code
      throw error
    },
  )
  return { outcome, ms: clock.now() - startedAt, attempts: exchange.attempts }
}

/** Runs requests through the real policies on a clock that stands still, and tells what was seen as rows of a time line. */

import type { BreakerState } from '../../src/events.ts'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, virtualSidecar } from '../../test/support/virtual.ts'
import type { Row, Span, Timeline } from './draw.ts'

/** All times in ms. */
export type Scene = {
  readonly title: string
  /** In the shape of the configuration file. */
  readonly upstream: object
  /** By the name that the picture gives to the endpoint; made anew for each recording. */
  readonly services: () => Readonly<Record<string, (call: Call) => Outcome>>
  readonly requests: readonly { readonly at: number; readonly path?: string }[]
  readonly untilMs: number
  /** The requests in a row each, or in one; the concurrency limit once a second, in place of requests and calls. */
  readonly shows?: 'clients' | 'one client' | 'limit'
}

/** @param at since the start. @param n of the calls to this endpoint, from 1. */
type Call = { readonly at: number; readonly n: number; readonly path: string }

/** What an endpoint answers; nothing is: never. */
type Outcome = { readonly status: number; readonly afterMs: number; readonly json?: object } | undefined

/** Half of the range, so that every jitter is none. */
const MIDDLE = () => 0.5
const STEP_MS = 50
const SECOND_MS = 1_000

export async function record(scene: Scene): Promise<Timeline> {
  const clock = new VirtualClock(0)
  const calls: { readonly at: number; readonly endpoint: string }[] = []
  const answers = scene.services()
  const services = Object.fromEntries(
    Object.entries(answers).map(([name, answerOf]): [string, Service] => {
      let n = 0
      return [
        `http://${name}`,
        ({ path }) => {
          n += 1
          calls.push({ at: clock.now(), endpoint: name })
          const outcome = answerOf({ at: clock.now(), n, path })
          return outcome && answer(outcome.status, outcome.afterMs, outcome.json)
        },
      ]
    }),
  )
  const { get, events, snapshot } = virtualSidecar(clock, scene.upstream, services, MIDDLE)
  const asked: { readonly at: number; readonly got: Promise<Got> }[] = []
  const limits: Span[] = []
  for (let at = 0; at <= scene.untilMs; at += STEP_MS) {
    if (at % SECOND_MS === 0 && at < scene.untilMs) limits.push(limitSpan(at, snapshot().upstreams[0]?.limit ?? 0))
    for (const { path = '/x' } of scene.requests.filter((request) => request.at === at))
      asked.push({ at, got: get(path) })
    await clock.advance(STEP_MS)
  }
  const rows = scene.shows === 'limit' ? [{ label: 'limit', spans: limits }] : await requestRows()
  return { title: scene.title, unit: 's', until: scene.untilMs / 1_000, rows }

  async function requestRows(): Promise<Row[]> {
    const clients = await Promise.all(asked.map(async ({ at, got }) => clientSpan(at, await got)))
    const attempts = events.flatMap((event) =>
      event.kind === 'attempt'
        ? [spanOf(event.at - event.durationMs, event.at, event.status ?? event.reason ?? '')]
        : [],
    )
    const callsTo = (name: string) =>
      attempts.filter(({ from }) =>
        calls.some(({ at, endpoint }) => endpoint === name && Math.abs(at / 1_000 - from) < 1e-6),
      )
    const changes = events.flatMap((event) => (event.kind === 'breaker' ? [event] : []))
    return [
      ...(scene.shows === 'one client' ? [clients] : clients.map((span) => [span])).map(row('client')),
      ...Object.keys(answers).flatMap((name) => lanes(callsTo(name)).map(row(`calls to ${name}`))),
      ...(changes.length > 0 ? [states(changes, scene.untilMs)] : []).map(row('breaker')),
    ]
  }
}

const row =
  (label: string) =>
  (spans: readonly Span[]): Row => ({ label, spans })

const limitSpan = (at: number, limit: number): Span => ({
  from: at / 1_000,
  to: at / 1_000 + 1,
  kind: 'state',
  text: String(limit),
})

const clientSpan = (at: number, { outcome, ms }: Got): Span => spanOf(at, at + ms, outcome)

function spanOf(fromMs: number, toMs: number, outcome: number | string): Span {
  const kind = typeof outcome === 'number' && outcome < 500 ? 'good' : 'bad'
  return { from: fromMs / 1_000, to: toMs / 1_000, kind, text: String(outcome) }
}

/** As few rows as show those that overlap below each other. */
function lanes(spans: readonly Span[]): Span[][] {
  const rows: Span[][] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const free = rows.find((row) => (row.at(-1)?.to ?? 0) <= span.from)
    if (free === undefined) rows.push([span])
    else free.push(span)
  }
  return rows
}

function states(changes: readonly { readonly at: number; readonly to: BreakerState }[], untilMs: number): Row['spans'] {
  const kinds = { closed: 'good', open: 'bad', 'half-open': 'wait' } as const
  return [{ at: 0, to: 'closed' as const }, ...changes].map(({ at, to }, i) => ({
    from: at / 1_000,
    to: (changes[i]?.at ?? untilMs) / 1_000,
    kind: kinds[to],
    text: to,
  }))
}

import { expect, test } from 'vitest'
import { factOf } from '../../src/control/incidents/of-event.ts'
import { createLog } from '../../src/control/log/log.ts'
import type { Event, ReloadReport } from '../../src/events.ts'
import { Incidents } from '../../src/incidents/fold.ts'
import { factOf as factOfLine } from '../../src/incidents/of-line.ts'
import { incidentText } from '../../src/incidents/text.ts'
import { viewOf } from '../../src/incidents/view.ts'
import { breakerEvent, requestEvent } from '../control/samples.ts'
import { EPOCH_MS, fakeClock } from '../support/fake-clock.ts'

const START = Date.UTC(2026, 0, 1, 3)
const REF = { upstream: 'web', route: '*' }
const WEB = { upstream: 'web' } as const

const ok = requestEvent({ ref: REF })
const failed = requestEvent({ ref: REF, status: 503 })
const refused = requestEvent({ ref: REF, status: 503, reason: 'breaker_open', attempts: 0 })
const attempt = (outcome: number | 'reset', at = 0) => ({
  startedAt: at,
  ms: 10,
  headMs: 10,
  outcome,
  early: false,
  endpoint: undefined,
  job: undefined,
  retryAfterMs: 0,
  brokeMs: undefined,
  span: undefined,
})
const reload = (fields: Partial<ReloadReport>): Event => ({
  kind: 'reload',
  trigger: 'file',
  outcome: 'applied',
  version: 'v2',
  at: 0,
  faults: [],
  changes: { added: [], removed: [], changed: [], keys: [] },
  restartNeeded: [],
  ...fields,
})

/** Plays events at their seconds, to the fold and to a log, and folds the log, too: both must agree. */
async function told(events: readonly (readonly [atS: number, event: Event])[], untilS: number) {
  const lines: string[] = []
  const clock = fakeClock()
  clock.jumpWall(START - EPOCH_MS)
  const goTo = (s: number) => clock.advance(START + s * 1000 - clock.wallNow())
  const log = createLog({ level: 'info', access: true, service: 'test' }, clock, {
    write: (text: string) => void lines.push(...text.split('\n').filter((line) => line !== '')),
  })
  const live = new Incidents()
  const turns: string[] = []
  for (const [atS, event] of events) {
    await goTo(atS)
    const isWell = event.kind === 'request' && event.status < 500 && event.attempts === 1
    const fact = isWell && live.takeWell('web', clock.wallNow()) ? undefined : factOf(event, clock.wallNow())
    if (fact !== undefined)
      turns.push(...live.take(fact).map(({ phase, incident }) => `${atS} ${phase} ${incident.kind}`))
    log.record(event)
  }
  await goTo(untilS)
  const now = clock.wallNow()
  turns.push(...live.pass(now).map(({ phase, incident }) => `${untilS} ${phase} ${incident.kind}`))
  const fromLog = new Incidents()
  for (const line of lines) {
    const fact = factOfLine(line)?.fact
    if (fact !== undefined) fromLog.take(fact)
  }
  fromLog.pass(now)
  const views = live.all.map((one) => viewOf(one, now))
  expect(fromLog.all.map((one) => viewOf(one, now))).toEqual(views)
  return { views, turns }
}

test('incidents: what opened the breaker is its cause, refusals are the effect, and 30 s of quiet end it', async () => {
  const { views, turns } = await told(
    [
      [0, reload({ trigger: 'start', version: 'v1' })],
      ...[1, 2, 3, 4, 5].map((s) => [s, failed] as const),
      [5, breakerEvent({ ...WEB, openMs: 2_000 })],
      ...Array.from({ length: 50 }, () => [6, refused] as const),
      [7, breakerEvent({ ...WEB, from: 'open', to: 'half-open', cause: undefined, openMs: undefined })],
      [7, breakerEvent({ ...WEB, from: 'half-open', to: 'closed', cause: undefined, openMs: undefined })],
      [8, ok],
    ],
    38,
  )
  expect(turns).toEqual(['5 opened upstream', '38 closed upstream'])
  expect(views).toMatchObject([
    {
      id: 'web-20260101T030005Z',
      state: 'ended',
      duration_s: 2,
      causes: [{ cause: '503', count: 5 }],
      cost: { failed: 5, refused: 50, open_s: 2 },
      config_version: 'v1',
    },
  ])
})

test('incidents: another sign within 30 s belongs to the same incident', async () => {
  const open = breakerEvent({ ...WEB, openMs: 1_000 })
  const closed = breakerEvent({ ...WEB, from: 'half-open', to: 'closed', cause: undefined, openMs: undefined })
  const { turns } = await told(
    [
      [0, open],
      [2, closed],
      [31, open],
      [32, closed],
      [63, open],
      [64, closed],
    ],
    100,
  )
  expect(turns).toEqual(['0 opened upstream', '63 closed upstream', '63 opened upstream', '100 closed upstream'])
})

test('incidents: more than a tenth of twenty requests is a sign; a tenth is none', async () => {
  const some = (bad: number) => Array.from({ length: 20 }, (_, i) => [i / 10, i >= 20 - bad ? failed : ok] as const)
  expect((await told(some(2), 60)).views).toEqual([])
  expect((await told(some(3), 60)).views).toMatchObject([
    { started_at: '2026-01-01T03:00:01.900Z', causes: [{ cause: '503', count: 3 }], cost: { failed: 3, refused: 0 } },
  ])
})

test('incidents: requests that limits refuse are trouble of their own, and never before causes of the upstream', async () => {
  const full = requestEvent({ ref: REF, status: 503, reason: 'queue_full', attempts: 0 })
  const events = [...Array.from({ length: 19 }, () => ok), failed, ...Array.from({ length: 10 }, () => full)]
  const [incident] = (
    await told(
      events.map((event) => [1, event] as const),
      2,
    )
  ).views
  expect(incident?.causes.map(({ cause, count }) => [cause, count])).toEqual([
    ['503', 1],
    ['queue_full', 10],
  ])
  expect(incident?.cost).toMatchObject({ failed: 1, refused: 10 })
})

test('incidents: a request that a retry saved tells what its attempt met, with its job', async () => {
  const saved = requestEvent({ ref: REF, attempts: 2, backoffMs: 5, history: [attempt('reset'), attempt(200, 30)] })
  const lost = requestEvent({
    ref: REF,
    status: 502,
    reason: 'reset',
    history: [attempt('reset')],
    job: { id: 'job-7', isPoll: true },
  })
  const { views } = await told(
    [
      [0, saved],
      [1, lost],
      [2, breakerEvent(WEB)],
    ],
    3,
  )
  expect(views).toMatchObject([
    {
      causes: [{ cause: 'reset', count: 2, example: { status: 502, history: [{ outcome: 'reset', ms: 10 }] } }],
      cost: { requests: 2, failed: 1, saved: 1, retried: 1, jobs: ['job-7'], jobs_total: 1 },
    },
  ])
})

test('incidents: a breaker that admits probes while nobody calls is quiet, and the next success ends it', async () => {
  const open = breakerEvent({ ...WEB, openMs: 4_000 })
  expect((await told([[0, open]], 33)).views[0]?.state).toBe('ongoing')
  const quiet = (await told([[0, open]], 34)).views[0]
  expect(quiet).toMatchObject({ state: 'quiet', cost: { open_s: 4 } })
  expect(quiet?.summary).toMatch(/nobody calls: the next call decides\.$/)
  const closed = breakerEvent({ ...WEB, from: 'half-open', to: 'closed', cause: undefined, openMs: undefined })
  expect(
    (
      await told(
        [
          [0, open],
          [3_600, closed],
        ],
        3_630,
      )
    ).views[0],
  ).toMatchObject({ state: 'ended', cost: { open_s: 4 } })
})

test('incidents: a breaker that an operator holds open never becomes quiet', async () => {
  const held = breakerEvent({ ...WEB, cause: 'forced', openMs: undefined })
  const [incident] = (
    await told(
      [
        [0, { kind: 'breaker_mode', hasEnded: false, forced: undefined, ...PLACE, mode: 'forced-open' }],
        [0, held],
      ],
      600,
    )
  ).views
  expect(incident).toMatchObject({
    state: 'ongoing',
    cost: { open_s: 600 },
    advice: { runbook: 'docs/runbook.md#forced-breaker' },
  })
})
const PLACE = { upstream: 'web', route: undefined, endpoint: undefined }

test("incidents: the sidecar's own trouble", async () => {
  const down: Event = { kind: 'store', isUp: false, error: new Error('redis://:secret@db:6379 is away') }
  const { views } = await told(
    [
      [0, { kind: 'store', isUp: true, error: undefined }],
      [10, down],
      [11, { kind: 'stalled', ms: 900 }],
      [12, { kind: 'stalled', ms: 3_200 }],
      [20, reload({ outcome: 'refused', faults: [{ line: 3, column: 1, path: 'x', message: 'unknown key' }] })],
      [40, reload({})],
      [50, { kind: 'disk', isEnough: false, details: '0.1GB free' }],
      [70, { kind: 'store', isUp: true, error: undefined }],
    ],
    120,
  )
  expect(views.map(({ kind, state, duration_s, summary }) => [kind, state, duration_s, summary])).toEqual([
    ['disk', 'ongoing', 70, 'There is too little room on the disk: 0.1GB free.'],
    ['reload', 'ended', 20, 'The configuration was refused: 3:1: x: unknown key (for 20 s).'],
    ['lag', 'ended', 0, 'The process was paused for 3.2 s.'],
    ['store', 'ended', 60, 'The checkpoint store was down: redis://***@db:6379 is away (for 1 min).'],
  ])
})

test('incidents: a spent budget and jobs past their deadline are trouble of their upstream, until it is in trouble itself', async () => {
  const denied: Event = { kind: 'retry_denied', ref: REF, why: 'budget', trace: undefined }
  const late = requestEvent({
    ref: REF,
    status: 504,
    reason: 'job_deadline',
    attempts: 0,
    job: { id: 'j', isPoll: true },
  })
  expect(
    (
      await told(
        [
          [0, denied],
          [4, denied],
          [12, denied],
        ],
        13,
      )
    ).views,
  ).toMatchObject([
    {
      kind: 'budget',
      upstream: 'web',
      signs: [{ sign: 'budget_spent', text: expect.stringMatching(/2 times within 12 s/) }],
    },
  ])
  expect((await told([[0, late]], 40)).views).toMatchObject([
    { kind: 'deadlines', state: 'ended', cost: { refused: 1, jobs: ['j'] } },
  ])
  expect(
    (
      await told(
        [
          [0, denied],
          [5, breakerEvent(WEB)],
        ],
        6,
      )
    ).views,
  ).toMatchObject([{ kind: 'upstream', started_at: '2026-01-01T03:00:00.000Z' }])
})

test('incidents: a restart ends what stood, unless it goes on within 30 s', async () => {
  const start = reload({ trigger: 'start' })
  const open = breakerEvent({ ...WEB, openMs: 4_000 })
  expect(
    (
      await told(
        [
          [0, open],
          [20, start],
          [21, open],
        ],
        22,
      )
    ).views,
  ).toMatchObject([{ state: 'ongoing', started_at: '2026-01-01T03:00:00.000Z' }])
  expect(
    (
      await told(
        [
          [0, open],
          [500, start],
        ],
        501,
      )
    ).views,
  ).toMatchObject([{ state: 'ended', duration_s: 4, cost: { open_s: 4 } }])
})

test('incidents: what stood at a kill lasted up to the restart; after an orderly end, up to that end', async () => {
  const start = reload({ trigger: 'start' })
  const down: Event = { kind: 'store', isUp: false, error: new Error('away') }
  const held = breakerEvent({ ...WEB, cause: 'forced', openMs: undefined })
  const lengths = async (...events: Parameters<typeof told>[0]) =>
    (await told(events, 20_000)).views.map(({ kind, duration_s, cost }) => [kind, duration_s, cost.open_s])
  expect(await lengths([0, down], [300, held], [900, start])).toEqual([
    ['upstream', 600, 600],
    ['store', 900, 0],
  ])
  expect(
    await lengths([0, down], [300, start], [301, down], [310, { kind: 'store', isUp: true, error: undefined }]),
  ).toEqual([['store', 310, 0]])
  expect(await lengths([0, down], [300, { kind: 'draining', inFlight: 0 }], [9_000, start])).toEqual([
    ['store', 300, 0],
  ])
})

test('incidents: a forced breaker whose time is over is told so, not as set by an operator', async () => {
  const mode = { kind: 'breaker_mode', forced: undefined, ...PLACE } as const
  const [incident] = (
    await told(
      [
        [0, breakerEvent({ ...WEB, cause: 'forced', openMs: undefined, failure: undefined })],
        [0, { ...mode, mode: 'forced-open', hasEnded: false }],
        [60, { ...mode, mode: 'auto', hasEnded: true }],
        [60, breakerEvent({ ...WEB, from: 'open', to: 'closed', cause: 'forced' })],
      ],
      120,
    )
  ).views
  expect(incident?.signs.map(({ text }) => text)).toEqual([
    'the breaker opened by an operator',
    'an operator set forced-open',
    'the time that an operator had set is over: auto',
    'the breaker closed by an operator',
  ])
})

test('incidents: what has ceased is not told as of now, though another sign may follow', async () => {
  const closed = breakerEvent({ ...WEB, from: 'half-open', to: 'closed' })
  const back: Event = { kind: 'store', isUp: true, error: undefined }
  const events = [
    [0, { kind: 'store', isUp: false, error: undefined }],
    [1, breakerEvent(WEB)],
    [10, back],
    [11, closed],
  ] as const
  const summaries = async (untilS: number) => (await told(events, untilS)).views.map(({ summary }) => summary)
  expect(await summaries(12)).toEqual([
    'web was down (the breaker opened after failures in a row, the last: 503). It is over unless another sign comes within 30 s.',
    'The checkpoint store was down. It is over unless another sign comes within 30 s.',
  ])
  expect(await summaries(60)).toEqual([
    'web was down for 10 s (the breaker opened after failures in a row, the last: 503).',
    'The checkpoint store was down (for 10 s).',
  ])
})

test('incidents: over midnight, what came on another day has its date', async () => {
  const nearMidnight = 21 * 3600 - 5
  const closed = breakerEvent({ ...WEB, from: 'half-open', to: 'closed' })
  const { views } = await told(
    [
      [nearMidnight, breakerEvent(WEB)],
      [nearMidnight + 10, closed],
    ],
    nearMidnight + 60,
  )
  const [incident] = views
  const text = incident === undefined ? '' : incidentText(incident)
  expect(text).toContain('from   2026-01-01 23:59:55 UTC to 2026-01-02 00:00:05 UTC: 10 s')
  expect(text).toContain('\n  23:59:55.000  the breaker opened')
  expect(text).toContain('\n  2026-01-02 00:00:05.000  the breaker closed')
})

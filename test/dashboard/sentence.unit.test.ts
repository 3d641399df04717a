import { expect, test } from 'vitest'
import { sentenceOf } from '../../src/dashboard/sentence.js'
import type {
  BreakerView,
  Failure,
  HealthView,
  IncidentView,
  Reload,
  Sample,
  UpstreamSample,
  UpstreamView,
} from '../../src/dashboard/shapes.ts'
import { standingsOf, troublesOf } from '../../src/dashboard/situation.js'
import { freshState, type State } from '../../src/dashboard/state.js'

const LIVE = { now: 'live', detail: '', since: undefined } as const
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString()

const breaker = (more: Partial<BreakerView> = {}): BreakerView => ({
  route: null,
  endpoint: null,
  mode: 'auto',
  forced: null,
  state: 'closed',
  consecutive_failures: 0,
  open_for_s: 0,
  probes_in_flight: 0,
  ...more,
})
const upstream = (name: string, more: Partial<UpstreamView> = {}): UpstreamView => ({
  name,
  endpoints: [],
  breakers: [breaker()],
  in_flight: 0,
  queued: 0,
  limit: 64,
  slowdown: null,
  held: 0,
  connections: 0,
  retry_budget: 30,
  requests: { total: 0, failed: 0 },
  attempts: { total: 0 },
  resumes: { resumed: 0, failed: 0 },
  latency_ms: { p50: null, p90: null, p99: 40 },
  last_error: null,
  pauses: [],
  impatient: [],
  ...more,
})
const second = (more: Partial<UpstreamSample> = {}): UpstreamSample => ({
  requests: 10,
  failed: 0,
  refused: 0,
  saved: 0,
  attempts: 10,
  limited: 0,
  retries: 0,
  in_flight: 0,
  queued: 0,
  held: 0,
  resumes: 0,
  retry_budget: 30,
  p50_ms: 1,
  p90_ms: 1,
  p99_ms: 1,
  breaker: 'closed',
  open_ms: 0,
  ...more,
})
const minute = (of: Readonly<Record<string, UpstreamSample>>): Sample[] =>
  Array.from({ length: 60 }, (_, i) => ({ at: at(i), upstreams: of }))
const failure = (upstream: string, more: Partial<Failure> = {}): Failure => ({
  at: at(30),
  upstream,
  route: '*',
  method: 'GET',
  path: '/x',
  status: 503,
  reason: null,
  refused: false,
  attempts: 1,
  total_ms: 1,
  history: [],
  request_id: '1',
  trace_id: null,
  ...more,
})
const opened = { upstream: 'web', route: null, endpoint: null, cause: 'consecutive', open_ms: 10_000 } as const
const incident = (more: Partial<IncidentView>): IncidentView => ({
  id: 'web-1',
  kind: 'upstream',
  upstream: 'web',
  state: 'ongoing',
  started_at: at(9),
  ended_at: null,
  duration_s: 50,
  summary: '',
  signs: [],
  routes: [],
  causes: [{ cause: 'reset', count: 4, text: '', example: null }],
  cost: { requests: 900, failed: 7, refused: 254, retried: 9, saved: 3, jobs: ['a'], jobs_total: 2, open_s: 40 },
  advice: { text: '', runbook: 'docs/runbook.md#x' },
  config_version: null,
  ...more,
})
const health = (checks: HealthView['checks']): HealthView => ({
  status: 'healthy',
  service: 's',
  version: '1',
  checks,
  timestamp: at(50),
  ready: true,
})
const reload = (more: Partial<Reload>): State['config'] => ({
  version: 'a',
  file: 'proxy.yaml',
  since: at(0),
  config: {},
  last_reload: {
    at: at(20),
    trigger: 'file',
    outcome: 'applied',
    version: 'b',
    faults: [],
    restart_needed: [],
    ...more,
  },
})
const open = breaker({ state: 'open', open_for_s: 8 })
const forced = breaker({
  mode: 'forced-open',
  state: 'open',
  forced: { since: at(-7200), until: null, reason: 'index rebuilt', by: 'ada' },
})

const says = (given: Partial<State>, link: Parameters<typeof troublesOf>[1] = LIVE) => {
  const state: State = { ...freshState(), samples: minute({ web: second(), mail: second() }), ...given }
  const troubles = troublesOf(state, link)
  const { tone, what, since, cost, do: todo } = sentenceOf(state, troubles)
  const told = since.replaceAll(/\d\d:(\d\d:\d\d) [A-Z][\w+:-]*/g, '12:$1 ZONE')
  return { tone, words: [what, told, cost, todo], others: Math.max(0, troubles.length - 1) }
}
const both = (web: Partial<UpstreamView>) => [upstream('web', web), upstream('mail')]

type Row = readonly [
  name: string,
  given: Partial<State>,
  tone: string,
  words: readonly (string | RegExp)[],
  others?: number,
]
const ROWS: readonly Row[] = [
  ['nothing known', { samples: [] }, 'unknown', ['No upstream is known yet', '', '', '']],
  [
    'well',
    { upstreams: both({}) },
    'well',
    ['Both upstreams are well', '', '1,200 requests in the last 1 min', 'nothing to do'],
  ],
  [
    'nobody has called: no evidence that all is well',
    { upstreams: both({}), samples: minute({ web: second({ requests: 0 }), mail: second({ requests: 0 }) }) },
    'well',
    ['No trouble is known', '', 'no request in the last 1 min', 'nothing to do'],
  ],
  [
    'one upstream down, without an incident',
    {
      upstreams: both({ breakers: [open] }),
      samples: minute({ web: second({ failed: 9, refused: 8 }), mail: second({ saved: 1 }) }),
      failures: [
        failure('web'),
        failure('web'),
        failure('web', { reason: 'breaker_open', refused: true, attempts: 0 }),
      ],
      transitions: [
        { ...opened, at: at(40), from: 'half-open', to: 'open' },
        { ...opened, at: at(15), from: 'closed', to: 'open' },
      ],
    },
    'bad',
    [
      'web is down (2 × HTTP 503)',
      'since 12:00:15 ZONE (44 s)',
      'of 600 requests in the last 1 min 60 failed, 480 refused',
      'nothing here: the sidecar tries it again in 8 s; mend web (its own log says why)',
    ],
  ],
  [
    'one upstream down, by its incident; half open does not make it well',
    { upstreams: both({ breakers: [breaker({ state: 'half-open' })] }), incidents: [incident({})] },
    'bad',
    [
      'web is down (4 × reset)',
      'since 12:00:09 ZONE (50 s)',
      'of 900 requests 7 failed, 254 refused, 3 saved by retries, 2 jobs touched',
      'nothing here: the sidecar is trying it again now; mend web (its own log says why)',
    ],
  ],
  [
    'a route of its own broken',
    { upstreams: both({ breakers: [breaker(), { ...open, route: 'GET /own' }] }) },
    'bad',
    ['web is broken at GET /own', '', /^none of 600 requests failed/, /look at that part of web$/],
  ],
  [
    'all routes broken but one of its own',
    { upstreams: both({ breakers: [open, breaker({ route: 'GET /own' })] }) },
    'bad',
    ['web is broken at all routes but GET /own', '', /./, /./],
  ],
  [
    'failing while the breaker is closed',
    {
      upstreams: both({}),
      samples: minute({ web: second({ failed: 2 }) }),
      failures: [failure('web', { reason: 'attempt_timeout' })],
    },
    'bad',
    [
      'web fails (1 × attempt_timeout)',
      'since 12:00:00 ZONE (59 s)',
      /120 failed/,
      'look at web (it answers too late); its breaker is still closed',
    ],
  ],
  [
    'limited by the upstream',
    { upstreams: both({}), samples: minute({ web: second({ limited: 3 }) }) },
    'warn',
    ['web asks for fewer requests (429)', 'since 12:00:00 ZONE (59 s)', /180 attempts answered 429/, /^send it less/],
  ],
  [
    'limited by a Retry-After that all requests wait for, longer than a minute',
    {
      upstreams: both({
        pauses: [
          { paths: 'GET /x', waiting: 7, ends_in_s: 12 },
          { paths: 'GET /y', waiting: 0, ends_in_s: 50 },
        ],
      }),
      samples: minute({ web: second({ requests: 0 }), mail: second() }),
    },
    'warn',
    [
      'web asks to be left alone for a while (Retry-After)',
      '',
      'no request ended in the last 1 min; 7 requests wait now',
      /^the sidecar sends the waiting ones when its Retry-After ends, in 12 s; send it less/,
    ],
  ],
  [
    'limited by the upstream for so long that the breaker opened',
    {
      upstreams: both({ breakers: [open] }),
      incidents: [incident({ causes: [{ cause: '429', count: 20, text: '', example: null }] })],
    },
    'warn',
    ['web asks for fewer requests (429)', 'since 12:00:09 ZONE (50 s)', /254 refused/, /^send it less/],
  ],
  [
    'more requests than the limits let through',
    {
      upstreams: both({}),
      samples: minute({ web: second({ failed: 5, refused: 5 }) }),
      failures: [failure('web', { reason: 'queue_full', refused: true, attempts: 0 })],
    },
    'warn',
    [
      'web gets more requests than its limits let through (1 × queue_full)',
      'since 12:00:00 ZONE (59 s)',
      /300 refused/,
      /^send it less, or raise/,
    ],
  ],
  [
    'slow',
    { upstreams: both({ slowdown: 4 }) },
    'warn',
    ['web is 4 times slower than unloaded (p99 40 ms)', '', /none of/, /^look at web/],
  ],
  [
    'forced and forgotten: its refusals do not make it down',
    { upstreams: both({ breakers: [forced] }), samples: minute({ web: second({ failed: 10, refused: 10 }) }) },
    'warn',
    [
      'web is forced open by ada, without an end: “index rebuilt”',
      /^since .* \(2 h\)$/,
      'of 600 requests in the last 1 min 600 refused',
      'set it to automatic if that is over',
    ],
  ],
  [
    'recovered and not called: no trouble',
    { upstreams: both({ breakers: [breaker({ state: 'half-open' })] }), samples: minute({ mail: second() }) },
    'well',
    [
      'No trouble is known',
      '',
      '600 requests in the last 1 min; web failed and has not been called since',
      'nothing to do: the next request decides',
    ],
  ],
  [
    'the store, before an upstream that is down',
    {
      upstreams: both({ breakers: [open] }),
      health: health({ checkpoint_store: { healthy: false, details: 'ECONNREFUSED' } }),
      unhealthySince: new Map([['checkpoint_store', at(50)]]),
    },
    'bad',
    [
      'The checkpoint store is down (ECONNREFUSED)',
      'since 12:00:50 ZONE (9 s)',
      /^jobs can neither save/,
      /goes on by itself$/,
    ],
    1,
  ],
  [
    'an upstream, before a refused reload and a full disk',
    {
      upstreams: both({ breakers: [forced] }),
      config: reload({
        outcome: 'refused',
        faults: [{ line: 3, path: 'a', message: 'unknown key' }],
        restart_needed: ['listen'],
      }),
      health: health({ disk_space: { healthy: false, details: '1 % free' } }),
    },
    'warn',
    [/^web is forced open/, /./, /./, /./],
    3,
  ],
  [
    'a refused reload',
    {
      upstreams: both({}),
      config: reload({ outcome: 'refused', faults: [{ line: 3, path: 'a', message: 'unknown key' }] }),
    },
    'warn',
    [
      'The changed configuration was refused (line 3: a: unknown key)',
      'since 12:00:20 ZONE (39 s)',
      'the earlier one stays in force',
      /^mend the file/,
    ],
  ],
  [
    'a needed restart',
    { upstreams: both({}), config: reload({ restart_needed: ['listen'] }) },
    'warn',
    ['A changed setting waits for a restart (listen)', /./, /./, /./],
  ],
  [
    'a spent budget',
    { upstreams: both({ retry_budget: 0, requests: { total: 9, failed: 0 } }) },
    'warn',
    ['The retry budget of web is spent', '', /./, /./],
  ],
  ['draining', { upstreams: both({}), isDraining: true }, 'warn', ['The sidecar is ending', '', /./, /./]],
]
test.for(ROWS)('sentence: %s', ([, given, tone, words, others = 0]) => {
  expect(says(given)).toEqual({
    tone,
    words: words.map((word) => (typeof word === 'string' ? word : expect.stringMatching(word))),
    others,
  })
})

test('sentence: a lost sidecar comes before all, and the rest is as of then', () => {
  const link = { now: 'lost', detail: 'no answer', since: at(59) } as const
  const { tone, words, others } = says({ upstreams: both({ breakers: [open] }) }, link)
  expect([tone, words[0], words[2], others]).toEqual([
    'unknown',
    'The page has lost the sidecar (no answer)',
    expect.stringMatching(/^what you see below is as of \d\d:00:59$/),
    1,
  ])
})

test('standings: worst first, then by what they cost, then by name', () => {
  const state: State = {
    ...freshState(),
    samples: minute({ a: second(), b: second({ failed: 3 }), c: second({ failed: 5 }), d: second() }),
    upstreams: [upstream('d'), upstream('a'), upstream('b'), upstream('c'), upstream('e', { breakers: [open] })],
  }
  expect(standingsOf(state).map(({ upstream: { name }, kind }) => `${name} ${kind}`)).toEqual([
    'e down',
    'c failing',
    'b failing',
    'a well',
    'd well',
  ])
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatWarnings, RULE_NAMES, warningsOf } from '../../src/config/warnings.ts'

function warned(text: string, env: Record<string, string> = {}) {
  const loaded = loadConfig(text, 'test.yaml', env)
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return warningsOf(loaded.config, loaded.origins, () => 900e9)
}

/** A file with one upstream that has these settings, and defaults for all others. */
const web = (settings: string, top = '') => `${top}upstreams:\n  web: { url: http://web, ${settings} }\n`
const route = (settings: string) => web(`routes: [{ ${settings} }]`)
/** A route that creates jobs, and one with these settings that polls them. */
const jobs = (id: string, poll: string, method = 'POST') =>
  web(
    `routes: [{ match: "${method} /jobs", idempotent: true, creates: { id: ${id} } }, { match: "GET /jobs/{id}", ${poll} }]`,
  )
const setting = (field: string) =>
  `upstreams:\n  web:\n    url: http://web\n    headers:\n      request:\n        set:\n          ${field}\n`
const defaults = (settings: string) => `defaults: { ${settings} }\nupstreams: { web: { url: http://web } }`

/** For each rule: the path of its warning, a file that breaks the rule, and one that only just keeps it. */
const SHARED = 'limits: { gpu: { max: 1, queueTimeout: 60s } }\n'

const RULES: readonly (readonly [rule: string, at: string, broken: string, nearly: string])[] = [
  [
    'total-over-client-timeout',
    'upstreams.web.timeout.total',
    web('timeout: { total: 65s }'),
    web('timeout: { total: 64s }'),
  ],
  [
    'attempt-over-total',
    'upstreams.web.timeout.total',
    web('timeout: { total: 11s }'),
    web('timeout: { attempt: 60s }'),
  ],
  [
    'attempt-hardly-possible',
    'upstreams.web.timeout.attempt',
    web('timeout: { attempt: 49ms }'),
    web('timeout: { attempt: 50ms }'),
  ],
  [
    'name-taken-literally',
    'upstreams.web.routes.0.match',
    route("match: 'GET /jobs/:id'"),
    route("match: 'GET /a:id'"),
  ],
  [
    'name-taken-literally',
    'upstreams.web.routes.0.match',
    route("match: 'GET /x/$jobId'"),
    route("match: 'GET /x/$export'"),
  ],
  [
    'name-taken-literally',
    'upstreams.web.routes.0.match',
    route("match: 'GET /<int:id>/y'"),
    route("match: 'GET /<>'"),
  ],
  ['name-taken-literally', 'upstreams.web.routes.0.match', route("match: 'GET /[id]'"), route("match: 'GET /a[id]'")],
  ['listener-open', 'listen', web('', 'listen: 0.0.0.0:8080\n'), web('', 'listen: 127.0.0.1:8080\n')],
  ['listener-open', 'upstreams.web.listen', web('listen: 10.0.0.7:80'), web('listen: 127.0.0.2:80')],
  [
    'failed-and-completed',
    'upstreams.web.routes.0.failureWhen.completed',
    route('match: GET /, failureWhen: { json: /s, in: [failed, Done], completed: [done, ok] }'),
    route('match: GET /, failureWhen: { json: /s, in: [failed], completed: [done, ok] }'),
  ],
  [
    'connect-over-total',
    'defaults.timeout.connect',
    defaults('timeout: { connect: 60s }'),
    defaults('timeout: { connect: 59s }'),
  ],
  [
    'hold-over-client-timeout',
    'upstreams.web.routes.0.hold.upTo',
    web('timeout: { total: 80s }, routes: [{ match: GET /, hold: { json: /s, in: [q], upTo: 65s, every: 2s } }]'),
    web('timeout: { total: 80s }, routes: [{ match: GET /, hold: { json: /s, in: [q], upTo: 64s, every: 2s } }]'),
  ],
  [
    'hold-over-total',
    'upstreams.web.routes.0.hold.upTo',
    route('match: GET /, hold: { json: /s, in: [q], every: 2s, upTo: 60s }'),
    route('match: GET /, hold: { json: /s, in: [q], every: 2s, upTo: 59s }'),
  ],
  [
    'hold-polls-once',
    'upstreams.web.routes.0.hold.every',
    route('match: GET /, hold: { json: /s, in: [q], every: 9s, upTo: 9s }'),
    route('match: GET /, hold: { json: /s, in: [q], every: 8s, upTo: 9s }'),
  ],
  [
    'fleet-limit-without-fleet',
    'upstreams.web.concurrency.fleet',
    web('concurrency: { fleet: 9 }'),
    web('concurrency: { fleet: 9 }', 'fleet: { redis: redis://r }\n'),
  ],
  [
    'fleet-share-over-rate',
    'upstreams.web.rate.requests',
    web('rate: { requests: 3, per: 1s }', 'fleet: { redis: redis://r, pods: 4 }\n'),
    web('rate: { requests: 4, per: 1s }', 'fleet: { redis: redis://r, pods: 4 }\n'),
  ],
  [
    'limit-unused',
    'limits.gpu',
    web('timeout: { total: 61s }', SHARED),
    web('timeout: { total: 61s }, routes: [{ match: GET /, limit: gpu }]', SHARED),
  ],
  [
    'shared-queue-over-total',
    'upstreams.web.limit',
    web('limit: gpu', SHARED),
    web('limit: gpu, timeout: { total: 61s }', SHARED),
  ],
  [
    'hedge-within-limit',
    'upstreams.web.routes.0.hedge',
    web('timeout: { total: 61s }, routes: [{ match: GET /, limit: gpu, hedge: { after: p95, max: 1 } }]', SHARED),
    web(
      'timeout: { total: 61s }, limit: gpu, routes: [{ match: GET /, limit: false, hedge: { after: p95, max: 1 } }]',
      SHARED,
    ),
  ],
  [
    'held-polls-take-slots',
    'upstreams.web.routes.0.hold',
    web(
      'timeout: { total: 61s }, limit: gpu, routes: [{ match: GET /, hold: { json: /s, in: [q], upTo: 9s, every: 2s } }]',
      SHARED,
    ),
    web(
      'timeout: { total: 61s }, limit: gpu, routes: [{ match: GET /, limit: false, hold: { json: /s, in: [q], upTo: 9s, every: 2s } }]',
      SHARED,
    ),
  ],
  [
    'queue-over-total',
    'upstreams.web.concurrency.queueTimeout',
    web('concurrency: { queueTimeout: 60s }'),
    web('concurrency: { queueTimeout: 59s }'),
  ],
  [
    'retries-never-finish',
    'upstreams.web.retry.backoff.initial',
    web('retry: { backoff: { initial: 10s } }'),
    web('retry: { backoff: { initial: 1s } }'),
  ],
  [
    'timeouts-never-retried',
    'upstreams.web.timeout.attempt',
    web('timeout: { attempt: 59s }'),
    web('timeout: { attempt: 58s }'),
  ],
  [
    'retries-multiply',
    'upstreams.web.retry.attempts',
    web('retry: { attempts: 9, backoff: { initial: 10ms } }, breaker: { consecutiveFailures: 50 }'),
    web('retry: { attempts: 8, backoff: { initial: 10ms } }, breaker: { consecutiveFailures: 50 }'),
  ],
  ['never-repeated', 'upstreams.web.routes.0.match', route('match: POST /jobs'), route('match: PUT /jobs')],
  [
    'client-errors-retried',
    'upstreams.web.retry.on',
    web('retry: { on: [404, 503] }'),
    web('retry: { on: [429, 408, 503] }'),
  ],
  [
    'no-jitter',
    'upstreams.web.retry.backoff.jitter',
    web('retry: { backoff: { jitter: 0 } }'),
    web('retry: { backoff: { jitter: 0.1 } }'),
  ],
  [
    'retry-after-ignored',
    'upstreams.web.retry.respectRetryAfter',
    web('retry: { respectRetryAfter: false }'),
    web('retry: { respectRetryAfter: false, attempts: 1 }'),
  ],
  [
    'body-never-kept',
    'upstreams.web.retry.bodyBuffer.memory',
    web('retry: { bodyBuffer: { memory: 0B, disk: 0B } }, routes: [{ match: PUT / }]'),
    web('retry: { bodyBuffer: { memory: 0B, disk: 1B } }, routes: [{ match: PUT / }]'),
  ],
  [
    'resume-never-tries',
    'upstreams.web.routes.0.retry.attempts',
    route('match: GET /, resume: true, retry: { attempts: 1 }'),
    route('match: GET /, resume: true, retry: { attempts: 2 }'),
  ],
  [
    'no-retry-budget',
    'upstreams.web.retry.budget.minPerSecond',
    web('retry: { budget: { ratio: 0, minPerSecond: 0 } }'),
    web('retry: { budget: { ratio: 0, minPerSecond: 0.1 } }'),
  ],
  [
    'budget-too-generous',
    'upstreams.web.retry.budget.ratio',
    web('retry: { budget: { ratio: 0.6 } }'),
    web('retry: { budget: { ratio: 0.5 } }'),
  ],
  [
    'bodies-fill-memory',
    'upstreams.web.retry.bodyBuffer.memory',
    web('retry: { bodyBuffer: { memory: 17MiB } }'),
    web('retry: { bodyBuffer: { memory: 16MiB } }'),
  ],
  [
    'breaker-cannot-open',
    'upstreams.web.rate',
    web('rate: { requests: 19, per: 60s }'),
    web('rate: { requests: 20, per: 60s }'),
  ],
  [
    'slow-calls-cannot-open',
    'upstreams.web.breaker.slowCalls.minimumRequests',
    web('breaker: { failureRate: false, slowCalls: { minimumRequests: 51 } }, rate: { requests: 50, per: 60s }'),
    web('breaker: { failureRate: false, slowCalls: { minimumRequests: 50 } }, rate: { requests: 50, per: 60s }'),
  ],
  [
    'slow-calls-never-seen',
    'upstreams.web.breaker.slowCalls.slowerThan',
    web('breaker: { slowCalls: { slowerThan: 12s } }'),
    web('breaker: { slowCalls: { slowerThan: 11s } }'),
  ],
  [
    'client-errors-open-breaker',
    'upstreams.web.breaker.failureStatus',
    web('breaker: { failureStatus: [5xx, 422] }'),
    web('breaker: { failureStatus: [5xx, 429] }'),
  ],
  [
    'one-request-opens-breaker',
    'upstreams.web.breaker.consecutiveFailures',
    web('breaker: { consecutiveFailures: 5, patience: 2s }'),
    web('breaker: { consecutiveFailures: 5, patience: 5s }'),
  ],
  [
    'open-outlasts-patience',
    'upstreams.web.breaker.openForMax',
    web('breaker: { openForMax: 5s }'),
    web('breaker: { openForMax: 60s, patience: 0ms }'),
  ],
  [
    'max-below-open-for',
    'upstreams.web.breaker.openForMax',
    web('breaker: { openFor: 3s, openForMax: 2s }'),
    web('breaker: { openFor: 3s, openForMax: 3s }'),
  ],
  [
    'failed-job-counted-again',
    'upstreams.web.routes.0.failureWhen',
    route('match: "GET /jobs/{id}", failureWhen: { json: /s, in: [failed] }'),
    route('match: "GET /jobs/{id}", failureWhen: { json: /s, in: [failed], oncePer: id }'),
  ],
  [
    'failed-job-counted-again',
    'upstreams.web.routes.0.failureWhen',
    route('match: GET /query-job, failureWhen: { json: /s, in: [failed] }'),
    route('match: GET /query-job, failureWhen: { json: /s, in: [failed], oncePer: { query: job_id } }'),
  ],
  [
    'job-never-learned',
    'upstreams.web.routes.0.job',
    route('match: "GET /jobs/{id}", job: id'),
    jobs('{ json: /id }', 'job: id, failureWhen: { json: /s, in: [failed] }'),
  ],
  [
    'created-and-never-asked-for',
    'upstreams.web.routes.0.creates',
    jobs('{ json: /id }', 'completedWhen: { status: [200] }'),
    jobs('{ json: /id }', 'job: id, completedWhen: { status: [200] }'),
  ],
  [
    'job-end-never-seen',
    'upstreams.web.routes.0.creates',
    jobs('{ json: /id }', 'job: id'),
    jobs('{ json: /id }', 'job: id, completedWhen: { status: [200] }'),
  ],
  [
    'creates-on-get',
    'upstreams.web.routes.0.creates',
    jobs('{ json: /id }', 'job: id, completedWhen: { status: [200] }', 'GET'),
    web(
      'routes: [{ match: GET /jobs, creates: { id: { json: /id } }, idempotent: false, retry: { methods: [] } }, { match: "GET /jobs/{id}", job: id, completedWhen: { status: [200] } }]',
    ),
  ],
  [
    'deadline-bounds-no-poll',
    'upstreams.web.routes.1.job',
    jobs('{ json: /id }, deadline: 1h', 'job: { json: /id }, completedWhen: { status: [200] }'),
    jobs('{ json: /id }', 'job: { json: /id }, completedWhen: { status: [200] }'),
  ],
  [
    'text-for-another-type',
    'upstreams.web.routes.0.hold',
    route('match: GET /, hold: { json: /done, in: ["false"], every: 2s, upTo: 20s }'),
    route('match: GET /, hold: { json: /done, in: [false, "false"], every: 2s, upTo: 20s }'),
  ],
  [
    'text-for-another-type',
    'upstreams.web.routes.0.failureWhen',
    route('match: POST /, idempotent: true, failureWhen: [{ json: /code, in: ["3"] }]'),
    route('match: POST /, idempotent: true, failureWhen: [{ json: /code, in: [3] }, { header: x-code, in: ["3"] }]'),
  ],
  [
    'value-listed-twice',
    'upstreams.web.routes.0.completedWhen',
    route('match: GET /, completedWhen: { not: { json: /s, notIn: [Done, DONE] } }'),
    route('match: GET /, completedWhen: { not: { json: /s, notIn: [Done, "Do ne"] } }'),
  ],
  [
    'route-never-matches',
    'upstreams.web.routes.1.match',
    web('routes: [{ match: GET /job }, { match: "GET /job?id={id}" }]'),
    web('routes: [{ match: "GET /job?id={id}" }, { match: "GET /job?job={id}" }, { match: GET /job }]'),
  ],
  [
    'route-never-matches',
    'upstreams.web.routes.1.match',
    web('routes: [{ match: "GET /f/{n}.mp4" }, { match: GET /f/a.mp4 }]'),
    web('routes: [{ match: "GET /f/{n}.mp4" }, { match: "GET /f/{n}" }, { match: GET /f/a/b.mp4 }]'),
  ],
  [
    'route-never-matches',
    'upstreams.web.routes.1.match',
    web('routes: [{ match: PUT / }, { match: { request: PUT /, headers: { x-amz-target: "T.Start*" } } }]'),
    web('routes: [{ match: { request: PUT /, headers: { x-amz-target: "T.Start*" } } }, { match: PUT / }]'),
  ],
  [
    'route-never-matches',
    'upstreams.web.routes.1.match',
    web('routes: [{ match: GET /jobs/* }, { match: "GET /jobs/{id}/file" }]'),
    web('routes: [{ match: "GET /jobs/{id}" }, { match: GET /jobs/* }, { match: GET /job }]'),
  ],
  [
    'only-for-get',
    'upstreams.web.routes.0.resume',
    route('match: PUT /x, resume: true'),
    route('match: GET /x, resume: true'),
  ],
  [
    'hedge-does-nothing',
    'upstreams.web.routes.0.hedge',
    route('match: POST /, idempotent: false, hedge: { after: 1s, max: 1 }'),
    route('match: POST /, idempotent: true, hedge: { after: 1s, max: 1 }'),
  ],
  [
    'hedge-too-late',
    'upstreams.web.routes.0.hedge',
    route('match: GET /, hedge: { after: 12s, max: 1 }'),
    route('match: GET /, hedge: { after: 11s, max: 1 }'),
  ],
  [
    'collapse-loses-requests',
    'upstreams.web.routes.0.collapse',
    route('match: POST /orders, idempotent: false, collapse: true'),
    route('match: POST /jobs, idempotent: true, collapse: true'),
  ],
  [
    'idle-over-keep-alive',
    'upstreams.web.connections.idle',
    web('connections: { idle: 5s }'),
    web('connections: { idle: 4s }'),
  ],
  ['http2-without-tls', 'upstreams.web.http2', web('http2: true'), web('http2: false')],
  [
    'http2-without-tls',
    'defaults.http2',
    'defaults: { http2: true }\nupstreams: { a: { url: http://a } }',
    'defaults: { http2: true }\nupstreams: { a: { url: http://a }, b: { url: https://b } }',
  ],
  [
    'tls-unused',
    'upstreams.web.tls.ca',
    'upstreams: { web: { url: http://a, tls: { ca: ca.pem } } }',
    'upstreams: { web: { urls: [http://a, https://b], tls: { ca: ca.pem } } }',
  ],
  [
    'tls-unused',
    'defaults.tls.cert',
    'defaults: { tls: { cert: a.pem, key: a.key } }\nupstreams: { a: { url: http://a }, b: { url: https://b, tls: { servername: c } } }',
    'defaults: { tls: { cert: a.pem, key: a.key } }\nupstreams: { a: { url: http://a }, b: { url: https://b } }',
  ],
  [
    'upgrade-past-the-policies',
    'upstreams.web.upgrades',
    web('upgrades: [websocket, h2c]'),
    web('upgrades: [h2-chat]'),
  ],
  ['upgrade-past-the-policies', 'upstreams.web.upgrades', web('upgrades: [TLS/1.2]'), web('upgrades: [websocket]')],
  ['never-reached', 'upstreams.web', web('', 'listen: false\n'), web('listen: "127.0.0.1:9"', 'listen: false\n')],
  [
    'calls-itself',
    'upstreams.web.url',
    'upstreams: { web: { url: "http://localhost:8003", listen: "127.0.0.1:8003" } }',
    'upstreams: { web: { url: "http://localhost:8004", listen: "127.0.0.1:8003" } }',
  ],
  [
    'health-never-rests',
    'upstreams.web.health.interval',
    web('health: { path: /health, interval: 2s }'),
    web('health: { path: /health, interval: 3s }'),
  ],
  [
    'control-open',
    'control.listen',
    web('', 'control: { listen: 0.0.0.0:8081, token: 0123456789abcdef }\n'),
    web('', 'control: { metricsListen: 0.0.0.0:9464 }\n'),
  ],
  [
    'tracing-grpc',
    'tracing.endpoint',
    web('', 'tracing: { endpoint: "http://127.0.0.1:4317" }\n'),
    web('', 'tracing: { endpoint: "http://127.0.0.1:4318" }\n'),
  ],
  [
    'tracing-headers-open',
    'tracing.headers',
    web('', 'tracing: { endpoint: "http://c:4318", headers: a=b }\n'),
    web('', 'tracing: { endpoint: "http://[::1]:4318", headers: a=b }\n'),
  ],
  [
    'token-short',
    'control.token',
    web('', 'control: { token: 0123456789abcde }\n'),
    web('', 'control: { token: 0123456789abcdef }\n'),
  ],
  [
    'notify-unencrypted',
    'notify.url',
    web('', 'notify: { url: "http://hooks.example.com/T1" }\n'),
    web('', 'notify: { url: "http://127.0.0.1:9000/hook" }\n'),
  ],
  [
    'notify-without-opened',
    'notify.on',
    web('', 'notify: { url: "https://hooks.example.com/T1", on: [closed] }\n'),
    web('', 'notify: { url: "https://hooks.example.com/T1", on: [opened] }\n'),
  ],
  [
    'checkpoints-in-memory',
    'checkpoints.store',
    web('', 'checkpoints: { store: "memory:" }\n'),
    web('', 'checkpoints: { store: "file:/data" }\n'),
  ],
  [
    'redis-tls-unused',
    'health.tls',
    web('', 'health: { redis: "redis://cache", tls: { ca: /etc/ca.pem } }\n'),
    web('', 'health: { redis: "rediss://cache", tls: { ca: /etc/ca.pem } }\n'),
  ],
  [
    'redis-tls-unused',
    'fleet.tls',
    web('', 'fleet: { redis: "redis://cache", tls: { ca: /etc/ca.pem } }\n'),
    web('', 'fleet: { redis: "rediss+sentinel://s/main", tls: { ca: /etc/ca.pem } }\n'),
  ],
  [
    'critical-check-off',
    'health.critical',
    web('', 'health: { critical: [redis] }\n'),
    web('', 'health: { critical: [redis], redis: "redis://r" }\n'),
  ],
  [
    'disk-limit-over-size',
    'health.disk.failBelow',
    web('', 'health: { disk: { warnBelow: 950GB, failBelow: 900GB } }\n'),
    web('', 'health: { disk: { warnBelow: 899GB, failBelow: 800GB } }\n'),
  ],
  [
    'disk-warns-late',
    'health.disk.warnBelow',
    web('', 'health: { disk: { warnBelow: 1GB } }\n'),
    web('', 'health: { disk: { warnBelow: 2GB } }\n'),
  ],
  [
    'forwarded-to-third-party',
    'upstreams.web.forwarded',
    'upstreams: { web: { url: https://api.example.com, forwarded: true } }',
    'upstreams: { web: { url: https://api.internal, forwarded: true } }',
  ],
  [
    'host-preserved-for-many',
    'upstreams.web.host',
    'upstreams: { web: { urls: [http://a, http://b], host: preserve } }',
    'upstreams: { web: { urls: [http://a:1, http://a:2], host: preserve } }',
  ],
  [
    'secret-in-the-file',
    'upstreams.web.headers.request.set.X-Api-Key',
    setting('X-Api-Key: hunter2'),
    setting('X-Api-Key: "key ${KEY:-none}"'),
  ],
  [
    'json-arrives-coded',
    'upstreams.web.rewrite.json',
    web('rewrite: { json: [/url] }'),
    web('rewrite: { json: [/url] }, headers: { request: { remove: [Accept-Encoding] } }'),
  ],
  [
    'computed-always-max',
    'timeouts.t.max',
    web('', 'timeouts: { t: { base: 60s, max: 60s } }\n'),
    web('', 'timeouts: { t: { base: 60s, max: 61s } }\n'),
  ],
  [
    'computed-always-min',
    'timeouts.t.min',
    web('', 'timeouts: { t: { base: 60s, min: 60s } }\n'),
    web('', 'timeouts: { t: { base: 60s, min: 59s } }\n'),
  ],
  [
    'computed-of-words',
    'timeouts.t.per.w',
    web('', 'job: { inputs: { w: { default: x } } }\ntimeouts: { t: { base: 60s, per: { w: 1s } } }\n'),
    web('', 'job: { inputs: { w: { default: 1 } } }\ntimeouts: { t: { base: 60s, per: { w: 1s } } }\n'),
  ],
]

test.each(RULES)(
  '%s: the file that breaks the rule gets the warning at its setting; the other file gets none',
  (rule, at, broken, nearly) => {
    const found = (text: string) => warned(text).filter((one) => one.rule === rule)
    expect([found(broken).map(({ path }) => path), found(nearly)]).toEqual([[at], []])
    for (const { excerpt, caret, path } of found(broken)) {
      expect(excerpt.slice(caret)).toMatch(new RegExp(`^${path.split('.').at(-1)}:`))
    }
  },
)

test('RULES has a case for each rule', () => {
  expect([...new Set(RULES.map(([rule]) => rule))].toSorted()).toEqual(RULE_NAMES.toSorted())
})

test('a warning shows the line, a caret, the reason and a remedy', () => {
  expect(formatWarnings(warned(web('timeout: { total: 65s }')))).toBe(
    `test.yaml:2:38: warning total-over-client-timeout: upstreams.web.timeout.total: the client gives up after 1m5s, an answer may take 1m5s: whatever a retry brings later reaches nobody
    web: { url: http://web, timeout: { total: 65s } }
                                       ^
  instead: a total below 1m5s; or, where the client waits longer, say so: clientTimeout: 1m18s
`,
  )
})

test('a setting in defaults gets one warning, not one for each upstream and route that inherits it', () => {
  const text = `defaults: { connections: { idle: 9s }, retry: { backoff: { jitter: 0 } } }
upstreams: { a: { url: http://a, routes: [{ match: GET /a }, { match: GET /b }] }, b: { url: http://b } }`
  expect(warned(text).map(({ rule, line }) => [rule, line])).toEqual([
    ['idle-over-keep-alive', 1],
    ['no-jitter', 1],
  ])
})

test('a longer clientTimeout allows a longer total timeout without a warning', () => {
  expect(warned(web('timeout: { total: 80s }, clientTimeout: 90s, breaker: { consecutiveFailures: 9 }'))).toEqual([])
})

test('no warning shows the value of a header', () => {
  for (const text of [
    setting('authorization: hunter2'),
    defaults('headers: { request: { set: { x-token: hunter2 } } }'),
  ])
    expect(formatWarnings(warned(text))).toMatch(/^(?![\s\S]*hunter2)[\s\S]*secret-in-the-file/)
})

test('no warning shows a token or a password', () => {
  const text = 'control: { token: "hunter 2" }\ncheckpoints: { store: "redis://me:hunter3@x" }\n'
  const shown = formatWarnings(warned(`${text}${web('connections: { idle: 9s }')}`))
  expect(shown).toContain('token-short')
  expect(shown).not.toMatch(/hunter/)
})

test('secret-in-the-file: a file, a reference in defaults and a field without credentials are no literals', () => {
  const rules = (text: string) => warned(text, { K: 'k' }).map(({ rule }) => rule)
  expect(rules(setting('authorization: { file: /run/secret }'))).toEqual([])
  expect(rules(setting('x-team: media'))).toEqual([])
  expect(rules(setting('authorization: $${K}'))).toEqual(['secret-in-the-file'])
  expect(rules(defaults('headers: { request: { set: { authorization: "Bearer ${K}" } } }'))).toEqual([])
  expect(rules(defaults('headers: { response: { set: { x-token: k } } }'))).toEqual(['secret-in-the-file'])
})

test('the defaults, the shipped file and those of README and guides are free of warnings', () => {
  const root = join(import.meta.dirname, '../..')
  const pages = ['README.md', 'docs/configuring.md', 'docs/checkpoints.md', 'docs/tracing.md']
  const shown = pages.flatMap((page) => [...readFileSync(join(root, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)])
  const texts = shown.map(([, text = '']) => text)
  expect(texts.length).toBeGreaterThan(2)
  const all = [web(''), readFileSync(join(root, 'proxy.yaml'), 'utf8'), ...texts]
  expect(all.map((text) => formatWarnings(warned(text)))).toEqual(all.map(() => ''))
})

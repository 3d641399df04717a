import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

function sound(text: string, env: Record<string, string> = {}): Config {
  const loaded = loadConfig(text, 'test.yaml', env)
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded.config
}

/** Each fault as `line:column path message`. */
function faults(text: string, env: Record<string, string> = {}): string[] {
  const loaded = loadConfig(text, 'test.yaml', env)
  if (loaded.ok) throw new Error('the file is sound')
  return loaded.faults.map(({ line, column, path, message, suggestion }) =>
    [`${line}:${column}`, path, message, suggestion && `(${suggestion})`].filter(Boolean).join(' '),
  )
}

const MINIMAL = 'upstreams: { web: { url: http://localhost:9000 } }'

test('the shortest valid file gets every default', () => {
  const config = sound(MINIMAL)
  expect(config).toEqual({
    limits: {},
    fleet: false,
    service: 'breakwater',
    listen: { host: '127.0.0.1', port: 8080 },
    bodies: { memory: 64 * 1024 * 1024, disk: 1024 * 1024 * 1024 },
    shutdown: 25_000,
    maxConnections: 10_000,
    maxHead: 65_536,
    control: { listen: { host: '127.0.0.1', port: 8081 }, token: '', metricsListen: undefined },
    log: { level: 'info', access: true },
    checkpoints: {
      store: { kind: 'file', folder: './data' },
      tls: { ca: '', servername: '', cert: '', key: '' },
      ttl: 86_400_000,
      interval: 10,
      maxItems: 10_000,
      maxBody: 1_048_576,
    },
    notify: { url: '', on: ['opened', 'closed'], timeout: 5_000 },
    tracing: {
      endpoint: '',
      link: '',
      headers: [],
      resource: [],
      sample: 1,
      timeout: 5_000,
      interval: 5_000,
      queue: 2_048,
    },
    health: {
      timeout: 2_000,
      critical: ['checkpoint_store', 'disk_space'],
      redis: false,
      disk: { path: '/tmp', warnBelow: 5e9, failBelow: 1e9 },
      tls: { ca: '', servername: '', cert: '', key: '' },
      celery: {
        broker: false,
        tls: { ca: '', servername: '', cert: '', key: '' },
        timeout: 2_000,
        busyFor: 3_600_000,
        keyPrefix: '',
        queues: [],
      },
    },
    job: { idHeader: 'x-job-id', inputs: [] },
    timeouts: {},
    upstreams: [
      {
        name: 'web',
        urls: ['http://localhost:9000'],
        listen: undefined,
        health: { path: undefined, timeoutMs: 2_000, intervalMs: 15_000 },
        tls: { ca: '', servername: '', cert: '', key: '' },
        forwarded: 'http',
        via: 'http',
        host: 'upstream',
        headers: { request: { set: {}, remove: [] }, response: { set: {}, remove: [] } },
        rewrite: { headers: [], json: [] },
        inspectBytes: 65_536,
        timeout: {
          connectMs: 5_000,
          attemptMs: 12_000,
          totalMs: 60_000,
          idleMs: 60_000,
          usefulMs: 1_000,
          tunnelMs: 3_600_000,
        },
        clientTimeoutMs: 65_000,
        retry: {
          attempts: 5,
          on: ['connect-failure', 'reset', 'timeout', 502, 503, 504, 429],
          methods: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'],
          backoff: { initialMs: 2_000, factor: 2, maxMs: 60_000, jitter: 0.1 },
          respectRetryAfter: true,
          waiting: 256,
          budget: { ratio: 0.2, minPerSecond: 3, windowMs: 10_000 },
          bodyBuffer: { memoryBytes: 1_048_576, diskBytes: 268_435_456 },
        },
        breaker: {
          consecutiveFailures: 5,
          failureRate: { threshold: 0.5, windowMs: 30_000, minimumRequests: 20 },
          slowCalls: false,
          openForMs: 1_000,
          openForMaxMs: 4_000,
          patienceMs: 5_000,
          halfOpenProbes: 3,
          closeAfter: 1,
          failureStatus: ['5xx'],
        },
        concurrency: { max: 64, queue: 256, queueTimeoutMs: 5_000, adaptive: false, fleet: false },
        limit: false,
        http2: false,
        connections: { max: 'concurrency', idleMs: 4_000, resolveMs: 30_000 },
        balance: { decayMs: 10_000, slowStartMs: 30_000 },
        collapse: false,
        hedge: false,
        upgrades: ['websocket'],
        rate: false,
        routes: [],
      },
    ],
  })
})

test('an upstream, then a route, overrides key by key; lists are replaced whole', () => {
  const { upstreams } = sound(`
defaults: { timeout: { attempt: 3s, total: 9s }, retry: { attempts: 4, backoff: { initial: 1s } } }
upstreams:
  web:
    url: http://localhost:9000/
    timeout: { total: 8s }
    retry: { on: [503], backoff: { factor: 3 } }
    breaker: { consecutiveFailures: 7, failureRate: { threshold: 0.9 }, slowCalls: { slowerThan: 2s } }
    routes:
      - match: GET /a/{id}
        timeout: { attempt: 2s }
        retry: { attempts: 1, backoff: { max: 5s } }
      - match: POST /b/*
        idempotent: true
        breaker: { openFor: 1s, failureRate: false }
`)
  const [web] = upstreams
  expect(web?.urls).toEqual(['http://localhost:9000'])
  expect(web?.timeout).toEqual({
    connectMs: 5_000,
    attemptMs: 3_000,
    totalMs: 8_000,
    idleMs: 60_000,
    usefulMs: 1_000,
    tunnelMs: 3_600_000,
  })
  expect(web?.retry).toMatchObject({ attempts: 4, on: [503], backoff: { initialMs: 1_000, factor: 3, maxMs: 60_000 } })
  expect(web?.breaker.failureRate).toEqual({ threshold: 0.9, windowMs: 30_000, minimumRequests: 20 })
  expect(web?.breaker.slowCalls).toEqual({ slowerThanMs: 2_000, threshold: 0.8, windowMs: 60_000, minimumRequests: 20 })
  const [a, b] = web?.routes ?? []
  expect(a).toMatchObject({ match: 'GET /a/{id}', idempotent: false, breaker: undefined })
  expect(a?.timeout).toEqual({
    connectMs: 5_000,
    attemptMs: 2_000,
    totalMs: 8_000,
    idleMs: 60_000,
    usefulMs: 1_000,
    tunnelMs: 3_600_000,
  })
  expect(a?.retry).toMatchObject({ attempts: 1, on: [503], backoff: { initialMs: 1_000, factor: 3, maxMs: 5_000 } })
  expect(a?.retry.budget).toBe(false)
  expect(b).toMatchObject({
    idempotent: true,
    breaker: { consecutiveFailures: 7, openForMs: 1_000, failureRate: false },
  })
})

test('listeners can be set, and the shared one turned off', () => {
  const config = sound(`
listen: false
control: { listen: "[::1]:9100", token: t }
upstreams: { web: { url: https://web.example/base/path/, listen: 0.0.0.0:9001 } }
`)
  expect([config.listen, config.control]).toEqual([undefined, { listen: { host: '::1', port: 9100 }, token: 't' }])
  expect(config.upstreams[0]).toMatchObject({
    urls: ['https://web.example/base/path'],
    listen: { host: '0.0.0.0', port: 9001 },
  })
})

test('the configuration cannot be changed once it is loaded', () => {
  const config = sound(MINIMAL)
  expect(Object.isFrozen(config.upstreams[0]?.retry.backoff)).toBe(true)
})

test('${NAME} is replaced by the environment variable, or by the fallback where it is unset or empty', () => {
  const text = (value: string) =>
    `${MINIMAL}\nservice: ${value}\ndefaults: { retry: { attempts: "\${N:-3}" } }`.replace('"${N:-3}"', '3')
  expect(sound(text('${NAME}'), { NAME: 'video' }).service).toBe('video')
  expect(sound(text('a-${NAME}-z'), { NAME: 'video' }).service).toBe('a-video-z')
  expect(sound(text('${NAME:-spare}')).service).toBe('spare')
  expect(sound(text('${NAME:-spare}'), { NAME: '' }).service).toBe('spare')
  expect(sound(text('$${NAME}')).service).toBe('${NAME}')
  expect(faults(text('${NAME}'))).toEqual(['2:10 the environment variable NAME is not set, and there is no fallback'])
  expect(faults(text('${NAME'))).toEqual(['2:10 expected ${NAME} or ${NAME:-fallback}; write $${ for a plain ${'])
})

test('a number from the environment is a number where the value is not quoted', () => {
  const attempts = (value: string, env: Record<string, string>) =>
    sound(`${MINIMAL}\ndefaults:\n  retry:\n    attempts: ${value}`, env).upstreams[0]?.retry.attempts
  expect(attempts('${N:-7}', {})).toBe(7)
  expect(attempts('${N}', { N: '4' })).toBe(4)
  expect(() => attempts('"${N}"', { N: '4' })).toThrow('expected a whole number')
  expect(sound(`${MINIMAL}\nservice: \${S}`, { S: 'no: [yaml' }).service).toBe('no: [yaml')
})

test('no fault shows a secret from the environment', () => {
  const text = `upstreams: { web: { url: "\${URL}", routes: [{ match: "\${SECRET}" }] } }\nlog: { level: "\${SECRET}" }\nlisten: "\${SECRET}"`
  const loaded = loadConfig(text, 'test.yaml', { SECRET: 'hunter2', URL: 'http://user:hunter2@host/' })
  expect(loaded.ok).toBe(false)
  expect(JSON.stringify(loaded)).not.toContain('hunter2')
  expect(loaded.ok || formatFaults(loaded.faults)).not.toContain('hunter2')
})

const fields = (settings: string, env = {}) =>
  sound(`upstreams: { web: { url: http://web, ${settings} } }`, env).upstreams[0]
const fieldFaults = (settings: string) => faults(`upstreams:\n  web:\n    url: http://web\n${settings}`)

test('headers: values come from the file, the environment or another file', () => {
  const web = fields(
    'headers: { request: { set: { x-a: "a b", X-B: "${B}", x-c: { file: /run/c } }, remove: [x-d] } }',
    {
      B: '7',
    },
  )
  expect(web?.headers).toEqual({
    request: { set: { 'x-a': 'a b', 'X-B': '7', 'x-c': { file: '/run/c' } }, remove: ['x-d'] },
    response: { set: {}, remove: [] },
  })
})

test('headers: a route replaces a list or a map of its upstream whole, and inherits the others', () => {
  const web = fields(
    'headers: { request: { set: { x-a: a }, remove: [x-d] } }, host: preserve, rewrite: { json: [/a] }, routes: [{ match: GET /, headers: { request: { set: { x-b: b } } }, rewrite: { headers: [x-url] } }]',
  )
  expect(web?.routes[0]).toMatchObject({
    host: 'preserve',
    headers: { request: { set: { 'x-b': 'b' }, remove: ['x-d'] } },
    rewrite: { json: ['/a'], headers: ['x-url'] },
  })
  expect(web?.routes[0]?.headers.request.set).not.toHaveProperty('x-a')
})

const WRITTEN_BY_SIDECAR = 'the sidecar writes this field itself: it belongs to the connection, not to the message'

test.each(['Connection', 'transfer-encoding', 'Content-Length', 'TE', 'Upgrade', 'Keep-Alive', 'Trailer', 'Expect'])(
  'headers: %s is refused in set and remove, of requests and responses',
  (name) => {
    for (const message of ['request', 'response']) {
      const at = `upstreams.web.headers.${message}`
      expect(fieldFaults(`    headers: { ${message}: { set: { ${name}: x }, remove: [${name}] } }`)).toEqual([
        expect.stringContaining(`${at}.set.${name} ${WRITTEN_BY_SIDECAR}`),
        expect.stringContaining(`${at}.remove.0 ${WRITTEN_BY_SIDECAR}`),
      ])
    }
  },
)

test('headers: Host, a repeated name and values that are no line are refused', () => {
  const set = (entries: string) => fieldFaults(`    headers: { request: { set: { ${entries} } } }`)
  expect(set('Host: x')).toEqual(['4:34 upstreams.web.headers.request.set.Host Host is set by the key host'])
  expect(set('x-a: a, X-A: b')).toEqual([expect.stringContaining('a field stands there twice')])
  expect(set('x-a: 7')).toEqual([expect.stringContaining('expected text (a number in quotes), or { file: /path }')])
  expect(set('x-a: "a\\nb"')).toEqual([expect.stringContaining('a header value is one line')])
  expect(set('x-a: { path: /x }')).toEqual([
    expect.stringContaining('file is missing'),
    expect.stringContaining('unknown key'),
  ])
  expect(set('x a: b')).toEqual([expect.stringContaining('expected a header name')])
})

test.each(['true', 'false', 'http'])('forwarded and via: %s is accepted', (value) => {
  const expected = value === 'http' ? value : value === 'true'
  expect(fields(`forwarded: ${value}, via: ${value}`)).toMatchObject({ forwarded: expected, via: expected })
})

test.each(['upstream', 'preserve', 'api.example.com', 'api:8080', '"[::1]:80"'])('host: %s is accepted', (host) => {
  expect(fields(`host: ${host}`)?.host).toBe(host.replaceAll('"', ''))
})

test.each(['a b', 'http://a', 'a/b', 'u@a', 'a:x', '[::1', ''])('host: "%s" is refused', (host) => {
  expect(fieldFaults(`    host: "${host}"`)).toEqual([
    '4:11 upstreams.web.host expected upstream, preserve, or a name such as api.example.com',
  ])
})

test.each(['Upstream', 'PRESERVE'])('host: %s is no name, but a word in large letters', (host) => {
  expect(fieldFaults(`    host: ${host}`)).toEqual([
    '4:11 upstreams.web.host is a word in small letters: upstream, preserve, or a name such as api.example.com',
  ])
})

test('rewrite.json: a ~ in a JSON Pointer that escapes nothing is refused', () => {
  expect(fieldFaults('    rewrite: { json: ["/a~0b~1c", "/~user"] }')).toEqual([
    '4:35 upstreams.web.rewrite.json.1 in a JSON Pointer ~ is written ~0, and / within a name ~1',
  ])
})

test('tls: a certificate needs its key, and a key its certificate', () => {
  expect(fieldFaults('    tls: { cert: /c.pem }')).toEqual(['4:12 upstreams.web.tls.cert needs tls.key, too'])
  expect(fieldFaults('    tls: { key: /k.pem }')).toEqual(['4:12 upstreams.web.tls.key needs tls.cert, too'])
})

test.each([
  [
    'a wrong name',
    'headers: { request: { set: { authorization: Bearer hunter2, x-b: { file: f }, Host: "hunter2}" } } }',
  ],
  [
    'a neighbour on the line',
    'routes: [{ match: GET /, headers: { request: { set: { a: hunter2 } } }, retry: { atempts: 1 } }]',
  ],
  ['a wrong value', 'headers:\n      request:\n        set:\n          authorization: "a\\nhunter2"'],
  ['a quote that is not closed', 'headers:\n      request:\n        set:\n          authorization: "hunter2'],
  ['a map over several lines', 'headers:\n      request:\n        set: {\n          authorization: hunter2, x-b: 7 }'],
])('no fault shows the value of a header: %s', (_, settings) => {
  const loaded = loadConfig(`upstreams:\n  web:\n    url: http://web\n    ${settings}\n`, 'test.yaml', {})
  expect(loaded.ok).toBe(false)
  expect(loaded.ok ? '' : formatFaults(loaded.faults)).not.toMatch(/hunter2/)
})

test('a value alone is a list of one', () => {
  const [web] = sound(
    'upstreams: { web: { url: http://a, retry: { on: 5xx }, breaker: { failureStatus: 503 }, routes: [{ match: GET /, hold: { json: /s, in: queued, upTo: 9s, every: 1s } }] } }',
  ).upstreams
  expect(web?.retry.on).toEqual(['5xx'])
  expect(web?.breaker.failureStatus).toEqual([503])
  expect(web?.routes[0]?.hold).toMatchObject({ in: ['queued'] })
})

test('breaker: false turns off all its rules, and a route can turn one on again', () => {
  const [web] = sound(
    'upstreams: { web: { url: http://a, breaker: false, routes: [{ match: GET /, breaker: { consecutiveFailures: 3 } }] } }',
  ).upstreams
  const off = { consecutiveFailures: false, failureRate: false, slowCalls: false, openForMs: 1000 }
  expect(web?.breaker).toMatchObject(off)
  expect(web?.routes[0]?.breaker).toMatchObject({ ...off, consecutiveFailures: 3 })
})

const SHARED = `x-slow: &slow
  timeout: { attempt: 30s }
routeSets:
  jobs:
    - match: GET /jobs/{id}
      idempotent: true
    - match: POST /jobs
      <<: *slow
upstreams:
  a: { <<: *slow, url: http://a, routes: [{ match: GET /x }, { use: jobs }, { match: GET /y }] }
  b: { url: http://b, routes: [{ use: jobs }] }
`

test('upstreams share blocks by merge keys and routes by sets, in the order of the file', () => {
  const [a, b] = sound(SHARED).upstreams
  expect(a?.routes.map(({ match }) => match)).toEqual(['GET /x', 'GET /jobs/{id}', 'POST /jobs', 'GET /y'])
  expect(a?.timeout.attemptMs).toBe(30_000)
  expect(b?.routes.map(({ idempotent, timeout }) => [idempotent, timeout.attemptMs])).toEqual([
    [true, 12_000],
    [false, 30_000],
  ])
})

test('faults and settings of a route set are placed in the set, once', () => {
  expect(faults(SHARED.replace('idempotent', 'idempotnt'))).toEqual([
    '6:7 routeSets.jobs.0.idempotnt unknown key (idempotent)',
  ])
  expect(faults(SHARED.replace('POST /jobs', 'GET /jobs/{id}'))).toEqual([
    '7:7 routeSets.jobs.1.match another route of this upstream has the same match',
  ])
  expect(faults(SHARED.replaceAll('use: jobs', 'use: job'))).toEqual([
    '4:3 routeSets.jobs no upstream uses this set',
    '10:64 upstreams.a.routes.1.use no such set in routeSets: jobs',
    '11:34 upstreams.b.routes.0.use no such set in routeSets: jobs',
  ])
  const loaded = loadConfig(SHARED, 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  expect(loaded.origins.of(['upstreams', 'b', 'routes', 1, 'timeout', 'attempt'])).toMatchObject({
    line: 2,
    level: 'route',
  })
  expect(loaded.origins.of(['upstreams', 'a', 'routes', 3, 'match'])).toMatchObject({
    line: 10,
    path: ['upstreams', 'a', 'routes', 2, 'match'],
  })
})

test('a block that merges itself is a fault', () => {
  expect(faults('x-a: &a { <<: *a, retry: 1 }\nupstreams: { web: { url: http://a, <<: *a } }')).toHaveLength(1)
})

test.each([
  ['hedge: true', 'hedge expected false, or keys below it: after, max ({ after: p95, max: 1 })'],
  [
    'rate: 90/min',
    'rate expected false, or keys below it: requests, per, burst, queueTimeout ({ requests: 90, per: 1m })',
  ],
  [
    'timeout: 30s',
    'timeout expected keys below it: say which one 30s is for, connect, attempt, total, idle, useful or tunnel',
  ],
  ['concurrency: 10', 'concurrency expected keys below it: say which one 10 is for, max, queue or fleet'],
  [
    'breaker: { failureRate: 50 }',
    'breaker.failureRate expected false, or keys below it: threshold, window, minimumRequests ({ threshold: 0.5 })',
  ],
  ['retry: { initial: 50ms }', 'retry.initial unknown key here: it belongs to backoff, as in backoff: { initial: … }'],
  [
    'breaker: { threshold: 5 }',
    'breaker.threshold unknown key here: it belongs to failureRate or slowCalls, as in failureRate: { threshold: … }',
  ],
  [
    'timeout: { request: 60s }',
    'timeout.request unknown key: the keys here are connect, attempt, total, idle, useful, tunnel',
  ],
  ['routes: { match: GET /x }', 'routes expected a list, in which each route begins with "- match: METHOD /path"'],
  [
    'rate: { requests: 100 }',
    'rate.per per is missing: expected a duration with its unit, such as 250ms, 30s, 5m or 1h',
  ],
  ['rewrite: true', 'rewrite expected false, or keys below it: headers, json ({})'],
  [
    'timeout: { attempt: 12000 }',
    'timeout.attempt expected a duration with its unit, such as 250ms, 30s, 5m or 1h (12000ms)',
  ],
])('%s: the fault names what may be meant', (settings, expected) => {
  const [only] = faults(`upstreams: { web: { url: http://a, ${settings} } }`)
  expect(only?.replace(/^\S+ upstreams\.web\./, '')).toBe(expected)
})

test.each([
  ['retry: false', '{ attempts: 1 }'],
  ['breaker: disabled', 'false'],
  ['rate: none', 'false'],
  ['breaker: { failureRate: 50 }', '{ threshold: 0.5 }'],
  ['retry: { budget: 20% }', '{ ratio: 0.2 }'],
  ['retry: { backoff: { jitter: 10% } }', '0.1'],
  ['retry: { on: "502,503" }', '[502, 503]'],
  ['retry: { methods: GET POST }', '[GET, POST]'],
  ['urls: http://b', '[http://b]'],
  ['urls: "http://b, http://c"', '[http://b, http://c]'],
  ['routes: [{ match: GET jobs }]', 'GET /jobs'],
  ['routes: [{ match: "GET /a/**" }]', 'GET /a/*'],
  ['routes: [{ match: "GET|POST /a" }]', '* /a'],
  ['routes: [{ match: "GET http://web:80/jobs/7" }]', 'GET /jobs/7'],
  ['routes: [{ match: "/jobs/{id:int}/files" }]', '* /jobs/{id}/files'],
  ['routes: [{ match: GET /, failureWhen: { json: $.job.status, in: failed } }]', '/job/status'],
  ['routes: [{ match: GET /, resume: yes }]', 'true'],
  ['routes: [{ match: GET /, idempotent: off }]', 'false'],
])('%s: what is meant is suggested', (settings, meant) => {
  const loaded = loadConfig(`upstreams: { web: { url: http://a, ${settings} } }`, 'test.yaml', {})
  expect(loaded.ok ? [] : loaded.faults.map(({ suggestion }) => suggestion)).toContain(meant)
})

test.each([
  ['upstreams: { web: http://a }', '1:19 upstreams.web expected keys below it ({ url: http://a })'],
  ['upstreams: { web: localhost:3000 }', '1:19 upstreams.web expected keys below it ({ url: http://localhost:3000 })'],
  ['upstreams: { web: "${WEB}" }', '1:19 upstreams.web expected keys below it ({ url: "${WEB}" })'],
  ['upstreams:\n  web:\n    url http://a', '3:5 upstreams.web a colon is missing after the key (url: http://a)'],
  [
    'upstreams:\n  web: { url: http://b }\n  url: http://a',
    '3:8 upstreams.url it belongs to an upstream, further to the right below its name',
  ],
  [`${MINIMAL}\nlog: debug`, '2:6 log expected keys below it: level, access ({ level: debug })'],
  [`${MINIMAL}\nversion: "1"`, '2:10 version expected 1, the only version there is, without quotes'],
  [`${MINIMAL}\ncheckpoints: { interval: "10" }`, '2:26 checkpoints.interval expected a whole number, without quotes'],
  [`${MINIMAL}\n\tlog: { level: info }`, '2:1 a tab indents this line: use spaces'],
  [
    'upstreams:\n  web:\n    url: http://a\n      timeout: { attempt: 5s }',
    '3:10 a value and keys below it, or a second ": " on one line: indent the next line as this one, or quote the value',
  ],
  [
    'upstreams: { web: { url: http://a, routes: { GET /jobs: { idempotent: true } } } }',
    '1:44 upstreams.web.routes expected a list, in which each route begins with "- match: METHOD /path"',
  ],
  [
    'upstreams: { web: { url: http://a, routes: [{ match: [GET /a, GET /b] }] } }',
    '1:54 upstreams.web.routes.0.match expected one match: write a route for each',
  ],
  [
    'upstreams: { web: { url: http://a, routes: [{ match: GET /, hold: { json: /s, in: a, every: 1s } }] } }',
    '1:61 upstreams.web.routes.0.hold.upTo upTo is missing: expected a duration with its unit, such as 250ms, 30s, 5m or 1h',
  ],
  [
    'upstreams: { web: { url: http://a, retry: { on: 502,503 } } }',
    '1:53 upstreams.web.retry.503 unknown key here: several values need brackets, as in on: [502, 503]',
  ],
  [
    'upstreams: { web: { url: http://a, breaker: { enabled: false } } }',
    '1:47 upstreams.web.breaker.enabled unknown key here: breaker: false turns it off',
  ],
  [
    'upstreams: { web: { url: http://a, timeout.attempt: 5s } }',
    '1:36 upstreams.web.timeout.attempt unknown key here: write attempt below timeout',
  ],
  [
    'upstreams: { web: { url: http://a, headers: { X-Api-Key: a } } }',
    '1:47 upstreams.web.headers.X-Api-Key unknown key here: fields are set below request or response, as in request: { set: { Authorization: … } }',
  ],
])('the file %j has one fault, which says what to write instead', (text, expected) => {
  expect(faults(text, { WEB: 'http://a' })).toEqual([expected])
})

test.each([
  [
    'upstreams: [{ name: a, url: http://a }]',
    '1:12 upstreams expected names with their settings below them, so "a:" in place of "- name: a"',
  ],
  [
    `${MINIMAL}\nroutes: [{ match: GET / }]`,
    '2:1 routes unknown key here: it belongs to an upstream, further to the right below its name',
  ],
  [
    `${MINIMAL}\nretry: { attempts: 2 }`,
    '2:1 retry unknown key here: it belongs to an upstream, further to the right below its name, or to defaults',
  ],
  [
    'apiVersion: v1\nkind: ConfigMap\ndata: { proxy.yaml: "" }',
    '1:1 is a Kubernetes ConfigMap; the configuration is the text under data: proxy.yaml',
  ],
  [
    'upstreams: { a: { url: http://a, listen: "0.0.0.0:80" }, b: { url: http://b, listen: 127.0.0.1:80 } }',
    '1:78 upstreams.b.listen upstreams.a.listen has this port on every address: 0.0.0.0',
  ],
])('the file %j gets a fault that says what to do', (text, expected) => {
  expect(faults(text)).toEqual([expected])
})

test('all faults are listed in the order of the file, each with its line and column', () => {
  expect(
    faults(`version: 2
servce: x
listen: 8080
log: { level: inf }
defaults:
  timeout: { connect: 5, attempt: 12sec }
  retry:
    atempts: 3
    on: [conect-failure, 200]
  breaker:
    failureRate: { threshold: 1.5 }
upstreams:
  Web: { url: ftp://x }
  api:
    url: http://u:p@x:80/
    retries: { attempts: 2 }
    routes:
      - match: get /x
      - match: GET /jobs/{id}/{id}
      - match: GET /a
        concurrency: { max: 3 }
        connections: { max: 1 }
      - mach: GET /b
`),
  ).toEqual([
    '1:10 version expected 1, the only version there is',
    '2:1 servce unknown key (service)',
    '3:9 listen expected false, or an address such as 127.0.0.1:8080 or [::1]:8080 (127.0.0.1:8080)',
    '4:15 log.level expected one of trace, debug, info, warn, error, silent (info)',
    '6:23 defaults.timeout.connect expected a duration with its unit, such as 250ms, 30s, 5m or 1h (5s)',
    '6:35 defaults.timeout.attempt expected a duration with its unit, such as 250ms, 30s, 5m or 1h (12s)',
    '8:5 defaults.retry.atempts unknown key (attempts)',
    '9:10 defaults.retry.on.0 expected connect-failure, reset, timeout, a status from 400 to 599, or 4xx or 5xx',
    '9:26 defaults.retry.on.1 expected connect-failure, reset, timeout, a status from 400 to 599, or 4xx or 5xx',
    '11:31 defaults.breaker.failureRate.threshold must be more than 0 and less than 1',
    '13:3 upstreams.Web a name has small letters, digits and inner hyphens, 63 at most (web)',
    '15:10 upstreams.api.url expected http://host:port or https://host:port, without credentials, query or fragment',
    '16:5 upstreams.api.retries unknown key (retry)',
    '18:16 upstreams.api.routes.0.match expected METHOD /path, with {name} or * for a segment, such as GET /jobs/{id}, POST /v1/{name}:cancel or GET /query-job?job_id={id} (GET /x)',
    '19:16 upstreams.api.routes.1.match a {name} stands there twice',
    '21:9 upstreams.api.routes.2.concurrency unknown key here: it belongs to the upstream, not to a route',
    '22:9 upstreams.api.routes.2.connections unknown key here: it belongs to the upstream, not to a route',
    '23:9 upstreams.api.routes.3.match match is missing',
    '23:9 upstreams.api.routes.3.mach unknown key (match)',
  ])
})

test.each([
  [
    'listen: ":8080"',
    'listen: expected false, or an address such as 127.0.0.1:8080 or [::1]:8080, did you mean "0.0.0.0:8080"?',
  ],
  ['log: debug', 'log: expected keys below it: level, access, did you mean "{ level: debug }"?'],
  ['health: { celery: "redis://u:s3cr3t@h/0" }', 'health.celery: expected keys below it: '],
])('%s at the top: the fault says what to write', (setting, expected) => {
  const loaded = loadConfig(`${setting}\n${MINIMAL}\n`, 'proxy.yaml', {})
  expect(loaded.ok ? '' : formatFaults(loaded.faults)).toContain(expected)
})

test.each([
  'notify: https://hooks.example/T1/s3cr3t',
  'notify: [https://hooks.example/T1/s3cr3t]',
  'notify:\n  url: hooks.example/T1/s3cr3t',
  'notify: { url: https://hooks.example/T1/s3cr3t',
  'notify: { url: hooks.example/T1/s3cr3t }',
  'notify: { url: https://hooks.example/T1/s3cr3t, on: [open] }',
  'notify:\n  url: ftp://hooks.example/T1/s3cr3t',
])('%j: a fault does not show the URL of a webhook', (setting) => {
  const loaded = loadConfig(`${setting}\n${MINIMAL}\n`, 'proxy.yaml', {})
  const text = loaded.ok ? '' : formatFaults(loaded.faults)
  expect(loaded.ok).toBe(false)
  expect(text).not.toContain('s3cr3t')
})

test('a fault is shown with its line and a caret', () => {
  const loaded = loadConfig(`service: a\nlog: { levle: info }\n${MINIMAL}\n`, 'proxy.yaml', {})
  expect(loaded.ok || formatFaults(loaded.faults)).toBe(
    'proxy.yaml:2:8: log.levle: unknown key, did you mean "level"?\n  log: { levle: **** }\n         ^\n',
  )
})

test.each([
  ['', ['1:1 upstreams upstreams is missing']],
  ['upstreams: {}', ['1:12 upstreams at least one upstream is needed']],
  ['upstreams: { web: {} }', ['1:14 upstreams.web url is missing']],
  [`${MINIMAL}\nservice: a\nservice: b`, ['3:1 this key stands there twice']],
  [
    `${MINIMAL}\n---\n${MINIMAL}`,
    ['2:1 a second document begins here: the sidecar reads one, so put all upstreams into it'],
  ],
  [`service: !secret x\n${MINIMAL}`, ['1:10 unknown tag']],
  [`${MINIMAL}\ncontrol: { token: \${T} }`, ['2:20 inside { } a value with ${…} has to be quoted']],
  [`listen: 127.0.0.1:8081\n${MINIMAL}`, ['1:1 control.listen another listener has this address']],
  [
    `upstreams: { a: { url: http://x, listen: "h:1" }, b: { url: http://x, listen: "h:1" } }`,
    ['1:71 upstreams.b.listen another listener has this address'],
  ],
  [
    'upstreams: { a: { url: http://x, routes: [{ match: GET /a }, { match: GET /a }] } }',
    ['1:64 upstreams.a.routes.1.match another route of this upstream has the same match'],
  ],
  [
    `defaults: { retry: { backoff: { initial: 2m } } }\nupstreams: { a: { url: http://x }, b: { url: http://y } }`,
    ['1:33 defaults.retry.backoff.initial is longer than backoff.max'],
  ],
])('the file %j has exactly the expected faults', (text, expected) => {
  expect(faults(text)).toEqual(expected)
})

test('a file over 128 KiB or 8000 lines is refused', () => {
  expect(faults(`# ${'x'.repeat(128 * 1024)}`)).toEqual(['1:1 is larger than 128 KiB'])
  expect(faults('\n'.repeat(8_000))).toEqual(['1:1 has more than 8000 lines'])
})

test('anchors are allowed; aliases that expand exponentially are a fault', () => {
  const shared = sound(
    `upstreams: { a: &base { url: http://x, timeout: &t { total: 9s } }, b: { url: http://y, timeout: *t } }`,
  )
  expect(shared.upstreams.map(({ timeout }) => timeout.totalMs)).toEqual([9_000, 9_000])
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`)
  expect(faults(['l0: &l0 [x]', ...levels].join('\n'))).toEqual([
    '1:1 repeats what an anchor stands for too often, or within itself',
  ])
})

test('an upstream has one url, or several with the same path and different origins', () => {
  const { upstreams } = sound('upstreams: { web: { urls: [http://a/v1/, https://b/v1] } }')
  expect(upstreams[0]?.urls).toEqual(['http://a/v1', 'https://b/v1'])
  const lines = (upstream: string) => faults(`upstreams: { web: ${upstream} }`).map((line) => line.replace(/^\S+ /, ''))
  expect(lines('{ url: http://a, urls: [http://b] }')).toEqual(['upstreams.web.urls url is there too: one of them'])
  expect(lines('{ urls: [] }')).toEqual(['upstreams.web.urls at least one is needed'])
  expect(lines('{ urls: [http://a/v1, http://b/v2, http://a/v1] }')).toEqual([
    'upstreams.web.urls.1 has another path than the first',
    'upstreams.web.urls.2 another endpoint has this address',
  ])
  expect(lines('{ health: { path: /h } }')).toEqual(['upstreams.web url is missing'])
})

test('a setting that has keys of its own is replaced whole', () => {
  const { upstreams } = sound(`
defaults: { timeout: { attempt: { observed: p99, times: 1.5, min: 1s, max: 9s } }, rate: { requests: 9, per: 1s, queueTimeout: 5s } }
upstreams:
  web: { url: http://a, rate: { requests: 3, per: 2s }, routes: [{ match: GET /x, timeout: { attempt: 4s } }] }
`)
  expect(upstreams[0]?.rate).toEqual({ burst: 1, queueTimeoutMs: 5_000, requests: 3, perMs: 2_000 })
  expect(upstreams[0]?.timeout.attemptMs).toEqual({ observed: 'p99', times: 1.5, minMs: 1_000, maxMs: 9_000 })
  expect(upstreams[0]?.routes[0]?.timeout.attemptMs).toBe(4_000)
})

test('collapse, hedge and observed timeouts are parsed; an invalid observed timeout is a fault', () => {
  const attempt = '{ observed: p95, times: 2, min: 10s, max: { computed: part } }'
  const { upstreams } = sound(`${JOB}
upstreams:
  web:
    url: http://a
    hedge: { after: p95, max: 1 }
    concurrency: { adaptive: true }
    routes:
      - { match: POST /jobs, collapse: true, hedge: { after: 250ms, max: 2 } }
      - { match: GET /x, collapse: { headers: [X-API-Key] }, timeout: { attempt: ${attempt} } }
`)
  expect(upstreams[0]?.routes).toMatchObject([
    { collapse: true, hedge: { afterMs: 250, max: 2 } },
    { collapse: { headers: ['X-API-Key'] }, hedge: { afterMs: 'p95', max: 1 }, timeout: { attemptMs: { times: 2 } } },
  ])
  const wrong = (said: string) => faults(`upstreams: { web: { url: http://a, timeout: { attempt: ${said} } } }`)
  expect(wrong('{ observed: p99, times: 1, min: 9s, max: 3s }').join()).toContain('attempt.min is longer than max')
  expect(wrong('{ observed: p99, times: 1, min: 1s, max: { computed: nothing } }').join()).toContain('no such timeout')
  expect(wrong('{ observed: p99, times: 1, min: 1s }').join()).toContain('max is missing')
  expect(wrong('{ observed: p98, times: 1, min: 1s, max: 2s }').join()).toContain('expected one of p50')
})

const JOB = `job: { inputs: { n: { header: X-N, query: q, json: /a/b, default: 3, min: 0, max: 9 }, ratio: { default: "16:9" } } }
timeouts:
  part: { base: 60s, per: { n: 4s }, times: { ratio: { "9:16": 1.5 } }, min: 30s, max: 1h }
  all: { sum: [part] }
`

test('job inputs and computed timeouts are parsed', () => {
  const file = `${MINIMAL}\n${JOB}defaults: { timeout: { attempt: { computed: part, divideBy: n }, total: { computed: all } } }`
  const { job, timeouts, upstreams } = sound(file)
  const unbounded = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY }
  expect(job).toEqual({
    idHeader: 'x-job-id',
    inputs: [
      { name: 'n', header: 'x-n', query: 'q', json: '/a/b', byDefault: 3, min: 0, max: 9 },
      { name: 'ratio', header: undefined, query: undefined, json: undefined, byDefault: '16:9', ...unbounded },
    ],
  })
  expect(timeouts).toEqual({
    part: {
      baseMs: 60_000,
      per: { n: 4_000 },
      times: { ratio: { '9:16': 1.5 } },
      sum: [],
      minMs: 30_000,
      maxMs: 3_600_000,
    },
    all: { baseMs: 0, per: {}, times: {}, sum: ['part'], minMs: 1_000, maxMs: 86_400_000 },
  })
  expect(upstreams[0]?.timeout).toEqual({
    connectMs: 5_000,
    attemptMs: { computed: 'part', divideBy: 'n' },
    totalMs: { computed: 'all' },
    idleMs: 60_000,
    usefulMs: 1_000,
    tunnelMs: 3_600_000,
  })
})

test('unknown inputs, unknown timeouts, sums of sums and a min over max are faults', () => {
  const file = `${MINIMAL}
job: { inputs: { n: { default: 1, min: 2, max: 1 }, m: {} } }
timeouts:
  a: { per: { x: 1s }, times: { y: { z: 2 } }, sum: [b, none], min: 2h, max: 1h }
  b: { sum: [a] }
defaults: { timeout: { total: { computed: gone, divideBy: none } } }`
  expect(faults(file)).toEqual([
    '2:35 job.inputs.n.min is more than max',
    '2:53 job.inputs.m.default default is missing',
    '4:54 timeouts.a.sum.0 is itself a sum',
    '4:64 timeouts.a.min is longer than max',
    '5:14 timeouts.b.sum.0 is itself a sum',
  ])
  expect(faults(file.replace(', m: {}', ''))).toEqual([
    '2:35 job.inputs.n.min is more than max',
    '4:15 timeouts.a.per.x no such input in job.inputs',
    '4:33 timeouts.a.times.y no such input in job.inputs',
    '4:54 timeouts.a.sum.0 is itself a sum',
    '4:57 timeouts.a.sum.1 no such timeout',
    '4:64 timeouts.a.min is longer than max',
    '5:14 timeouts.b.sum.0 is itself a sum',
    '6:33 defaults.timeout.total.computed no such timeout',
    '6:49 defaults.timeout.total.divideBy no such input in job.inputs',
  ])
})

test('the shipped proxy.yaml is valid and has the three upstreams of make-video', () => {
  const text = readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8')
  const config = sound(text, { YOUTUBE_SEARCH_URL: 'http://search:8006' })
  expect(config.upstreams.map(({ name, urls, listen }) => [name, ...urls, listen?.port])).toEqual([
    ['youtube-search', 'http://search:8006', 8006],
    ['video-downloader', 'http://localhost:18002', 8002],
    ['audio-transcriber', 'http://localhost:18004', 8004],
  ])
  const patience = 30_000
  for (const { timeout, connections } of config.upstreams) {
    expect(timeout.totalMs).toBeLessThan(patience)
    expect(connections.idleMs).toBeLessThan(5_000)
    expect(connections.max).toBeLessThan(20)
  }
})

test('a fault shows its line without the passwords and tokens on it', () => {
  const text = `${MINIMAL}\ncheckpoints: { store: "redis:/me:hunter2@x" }\ncontrol: { token: hunter3, listen: here }\n`
  const loaded = loadConfig(text, 'proxy.yaml', {})
  const shown = loaded.ok ? '' : formatFaults(loaded.faults)
  expect(shown).toContain('2:')
  expect(shown).not.toMatch(/hunter/)
  const faulty = loadConfig(`${MINIMAL}\ncheckpoints: { store: "redis://me:hunter2@x/y/z" }`, 'proxy.yaml', {})
  expect(faulty.ok ? '' : formatFaults(faulty.faults)).toMatch(/redis:\/\/me:\*{7}@x/)
})

test('tracing.headers are parsed like OTEL_EXPORTER_OTLP_HEADERS, and no fault shows them', () => {
  const { tracing } = sound(
    `${MINIMAL}\ntracing: { endpoint: "http://c:4318/", headers: "authorization=Bearer%20hunter2, x-team = a=b ," }`,
  )
  expect(tracing).toMatchObject({
    endpoint: 'http://c:4318',
    headers: [
      ['authorization', 'Bearer hunter2'],
      ['x-team', 'a=b'],
    ],
  })
  for (const wrong of ['hunter2', 'a=', 'a b=hunter2', 'a=hunter2%zz', 'a=hunter2%0d%0ab: c', '=hunter2']) {
    const loaded = loadConfig(`${MINIMAL}\ntracing: { headers: "${wrong}" }`, 'proxy.yaml', {})
    const shown = loaded.ok ? 'sound' : formatFaults(loaded.faults)
    expect(shown).toContain("tracing.headers: expected '' or name=value,name=value")
    expect(shown).not.toContain('hunter2')
  }
})

test('tracing.resource is parsed like OTEL_RESOURCE_ATTRIBUTES', () => {
  const { tracing } = sound(
    `${MINIMAL}\ntracing: { resource: "k8s.pod.name=worker-7f, deployment.environment.name=S%C3%A3o%20Paulo,a/b=c=d" }`,
  )
  expect(tracing.resource).toEqual([
    ['k8s.pod.name', 'worker-7f'],
    ['deployment.environment.name', 'São Paulo'],
    ['a/b', 'c=d'],
  ])
  for (const wrong of ['pod', 'pod=', '=worker', 'a b=c', 'a=%zz', 'a=%ff', 'a=%00', 'a\\u0022b=c']) {
    const loaded = loadConfig(`${MINIMAL}\ntracing: { resource: "${wrong}" }`, 'proxy.yaml', {})
    expect([wrong, loaded.ok ? 'sound' : formatFaults(loaded.faults)]).toEqual([
      wrong,
      expect.stringContaining("tracing.resource: expected '' or name=value,name=value"),
    ])
  }
})

test('a tracing.endpoint with credentials is a fault, which does not show them', () => {
  const loaded = loadConfig(`${MINIMAL}\ntracing: { endpoint: "http://me:hunter2@c:4318" }`, 'proxy.yaml', {})
  const shown = loaded.ok ? 'sound' : formatFaults(loaded.faults)
  expect(shown).toContain("expected '' or http://host:4318 or https://…, without credentials")
  expect(shown).not.toContain('hunter2')
})

test('an unknown check in health.critical is a fault', () => {
  expect(faults(`${MINIMAL}\nhealth: { critical: [disk_space, wbe], redis: nowhere }`)).toEqual([
    "2:47 health.redis expected '' or redis://host:6379/0, rediss://…, redis+sentinel://… or redis+cluster://…",
  ])
  expect(faults(`${MINIMAL}\nhealth: { critical: [disk_space, wbe] }`)).toEqual([
    '2:34 health.critical.1 no such check: checkpoint_store, disk_space, redis, celery_workers, web',
  ])
})

test('only a control listener on loopback may go without a token', () => {
  const on = (listen: string, token = '') => `${MINIMAL}\ncontrol: { listen: "${listen}:8081", token: "${token}" }`
  for (const host of ['127.0.0.1', '127.1.2.3', '[::1]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', 'localhost']) {
    sound(on(host))
  }
  for (const host of ['0.0.0.0', '10.0.0.1', 'breakwater.example', '[::]']) {
    sound(on(host, 'secret'))
    expect(faults(on(host))).toEqual(['2:12 control.listen is not loopback: set control.token'])
  }
})

test('conflicting settings are faults beside the others, unless another fault may be their cause', () => {
  const text = `listen: 127.0.0.1:8081
defaults:
  retry: { backoff: { initial: 2m, max: 1min } }
  hedge: false
  timeout: { total: { computed: none }, attempt: 12 }
upstreams:
  web: { url: "localhost:9000", routes: [{ match: GET /a }, { match: GET /a }] }
  api: { url: http://x, routes: [{ match: GET /a }, { match: GET /a }], tls: { crt: x } }
`
  expect(faults(text)).toEqual([
    '1:1 control.listen another listener has this address',
    '3:41 defaults.retry.backoff.max expected a duration with its unit, such as 250ms, 30s, 5m or 1h (1m)',
    '5:23 defaults.timeout.total.computed no such timeout',
    '5:50 defaults.timeout.attempt expected a duration with its unit, such as 250ms, 30s, 5m or 1h (12s)',
    '7:15 upstreams.web.url expected http://host:port or https://host:port, without credentials, query or fragment (http://localhost:9000)',
    '7:63 upstreams.web.routes.1.match another route of this upstream has the same match',
    '8:55 upstreams.api.routes.1.match another route of this upstream has the same match',
    '8:80 upstreams.api.tls.crt unknown key (cert)',
  ])
})

test.each([
  ['timeout: { idle: 30 }', '30s'],
  ['timeout: { idle: 30 seconds }', '30s'],
  ['timeout: { idle: 2min }', '2m'],
  ['retry: { bodyBuffer: { memory: 1mb } }', '1MiB'],
  ['retry: { bodyBuffer: { memory: 512 } }', '512B'],
  ['retry: { methods: [get] }', 'GET'],
  ['listen: 8003', '127.0.0.1:8003'],
  ['routes: [{ match: post /jobs }]', 'POST /jobs'],
])('%s: the fault suggests the correct value', (settings, meant) => {
  expect(faults(`upstreams: { web: { url: http://x, ${settings} } }`)[0]).toContain(` (${meant})`)
})

test('limits: each has its defaults; upstreams and routes name one, or none; a name has to be there', () => {
  const file = (name: string) => `
limits: { gpu: { max: 1 }, disk: { fleet: 8, queue: 0, queueTimeout: 1m } }
upstreams:
  web: { url: http://a, limit: ${name}, routes: [{ match: GET /a }, { match: GET /b, limit: false }] }
`
  const { limits, upstreams } = sound(file('gpu'))
  expect(limits).toEqual({
    gpu: { max: 1, fleet: false, queue: 256, queueTimeoutMs: 5_000 },
    disk: { max: 8, fleet: 8, queue: 0, queueTimeoutMs: 60_000 },
  })
  expect(upstreams.map(({ limit, routes }) => [limit, ...routes.map((route) => route.limit)])).toEqual([
    ['gpu', 'gpu', false],
  ])
  expect(faults(file('cpu'))).toEqual(['4:25 upstreams.web.limit no such limit: gpu, disk'])
})

test('fleet: has its defaults, needs a Redis, and excludes an adaptive limit', () => {
  const { fleet } = sound('fleet: { redis: redis://r }\nupstreams: { web: { url: http://a } }')
  expect(fleet).toMatchObject({ name: 'breakwater', pods: 1, tls: { ca: '', servername: '', cert: '', key: '' } })
  expect(faults('fleet: { name: x }\nupstreams: { web: { url: http://a } }')).toEqual(['1:1 fleet redis is missing'])
  const one = 'fleet: { redis: "", name: x }\nupstreams: { web: { url: http://a } }'
  expect(sound(one).fleet).toBe(false)
  expect(faults('upstreams: { web: { url: http://a, concurrency: { adaptive: true, fleet: 3 } } }')).toEqual([
    '1:67 upstreams.web.concurrency.fleet adaptive sets the limit, too: one of them',
  ])
  expect(faults('limits: { gpu: { queue: 1 } }\nupstreams: { web: { url: http://a } }')).toEqual([
    '1:16 limits.gpu needs max, fleet or both',
  ])
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatWarnings, warningsOf } from '../../src/config/warnings.ts'

/** The largest file that is read, in bytes. */
const MOST = 128 * 1024

const WEB = 'upstreams: { a: { url: http://x } }\n'
const ROUTES = 'upstreams:\n  a:\n    url: http://x\n    routes:\n'

/** Repeats `part` between `before` and `after` until the file has the largest size. */
function full(part: string | ((i: number) => string), before = '', after = ''): string {
  const partAt = typeof part === 'string' ? () => part : part
  let text = before
  for (let i = 0; text.length + partAt(i).length + after.length <= MOST; i += 1) text += partAt(i)
  return text + after
}

/** Pads a line to 16 characters: a file of the largest size then stays below the limit of 8,000 lines. */
const wide = (line: string) => `${line.padEnd(16)}\n`

const stairs = Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')
const manyUpstreams = Array.from({ length: 999 }, (_, i) => `  a${i}: { url: http://x }\n`).join('')
const manyRoutes = Array.from({ length: 3000 }, (_, i) => `      - match: GET /${i}\n`).join('')
const repeated = Array.from({ length: 99 }, (_, i) => `  b${i}: { url: http://x, routes: *r }\n`).join('')
const levels = Array.from({ length: 20 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`)
const doubling = Array.from({ length: 60 }, (_, i) => `l${i}: &l${i} { <<: [*l${i - 1}, *l${i - 1}] }`).with(
  0,
  'l0: &l0 {}',
)

const HOSTILE: Readonly<Record<string, string>> = {
  'open brackets': full('['),
  'open braces': full('{'),
  'maps in maps': full('{a: '),
  'lists in lists': full('- '),
  'keys nested in keys': full('? '),
  'indentation one deeper on each line': stairs,
  'one key again and again': full(wide('a:')),
  'empty keys': full(wide(': 1')),
  'lists as keys': full(wide('? [a]') + wide(': 1')),
  'anchors on one value': full('&a '),
  'anchors on many': full((i) => wide(`a${i}: &a${i} 1`)),
  'an anchor used again and again': full('*a '),
  'merge keys': full(wide('<<: *a'), 'a: &a {}\n'),
  'merge keys that double on each level': `${doubling.join('\n')}\n<<: *l59`,
  'a block that is merged into itself': 'a: &a\n  <<: *a\n<<: *a\n',
  'an anchor within itself': 'a: &a [*a]\nupstreams: *a',
  'aliases that expand exponentially': ['l0: &l0 [x]', ...levels].join('\n'),
  'routes repeated by an anchor': `upstreams:\n  z:\n    url: http://x\n    routes: &r\n${manyRoutes}${repeated}`,
  'an open quote': `"${'x'.repeat(MOST - 1)}`,
  'empty lines': full('\n'),
  'empty comments': full('#\n'),
  'many documents': full('---\n'),
  'many directives': full(wide('%x')),
  'unsupported tags': full(wide('!!binary x')),
  'references that are never closed': full('${A:-', `${WEB}service: "`, '"'),
  'many references': full('${A} ', `${WEB}service: `),
  'unknown keys': full((i) => wide(`k${i}: 1`), WEB),
  'keys that are nearly known': full((i) => `  tmieout${i}: 1\n`, `${WEB}defaults:\n`),
  'upstreams without a url': full((i) => wide(`  a${i}: {}`), 'upstreams:\n'),
  'upstreams with bad names': full((i) => `  A${i}: { url: http://x }\n`, 'upstreams:\n'),
  'as many upstreams as fit': full((i) => `  a${i}: { url: http://x }\n`, 'upstreams:\n'),
  'routes without match': full((i) => `      - mach: GET /${i}\n`, ROUTES),
  'routes that each might match the requests of the next': full((i) => `      - match: GET /{a}/${i}/{b}\n`, ROUTES)
    .split('\n')
    .slice(0, 1004)
    .join('\n'),
  'upstreams with something to warn of': `upstreams:\n${Array.from({ length: 999 }, (_, i) => `  a${i}: { url: http://x, timeout: { total: 9m }, rate: { requests: 1, per: 9m } }\n`).join('')}`,
  'the same route again and again': full('      - match: GET /\n', ROUTES),
  'unknown critical checks': full('x, ', `upstreams:\n${manyUpstreams}health: { critical: [`, '] }'),
  'a long list for each of many upstreams': `defaults: { retry: { on: [${'503, '.repeat(15_000)}] } }\nupstreams:\n${manyUpstreams}`,
  'unknown inputs': full((i) => `i${i}: 1s, `, `${WEB}timeouts: { a: { per: {`, '} } }'),
  'a sum of unknown timeouts': full((i) => `t${i}, `, `${WEB}timeouts: { a: { sum: [`, '] } }'),
  'a path of parameters': full('/{a}', 'upstreams: { a: { url: http://x, routes: [{ match: "GET ', '" }] } }'),
  'a path of empty segments': full('/', 'upstreams: { a: { url: http://x, routes: [{ match: "GET ', '{" }] } }'),
  'a duration of many parts': full('1s', `${WEB}defaults: { timeout: { total: "`, 'x" } }'),
  'a huge duration': full('9', `${WEB}defaults: { timeout: { total: "`, 's" } }'),
  'a huge number': full('9', `${WEB}defaults: { retry: { attempts: `, ' } }'),
  'an infinite number': `${WEB}defaults: { retry: { attempts: 1e999, backoff: { factor: .inf, jitter: .nan } } }`,
  'a long host': full('a', 'upstreams: { a: { url: "http://', '" } }'),
  'many hosts': full('a,', `${WEB}checkpoints: { store: "redis+cluster://`, '" }'),
  'names of JavaScript properties': `__proto__: { a: 1 }\nconstructor: 1\nupstreams: { __proto__: { url: http://x }, constructor: { url: http://y } }`,
  'characters that are not valid text': '\u0000\uffff\ud800',
}

const routesOf = (name: string) =>
  `  ${name}:\n    url: http://x\n    routes:\n${Array.from({ length: 999 }, (_, i) => `      - match: GET /${i}\n`).join('')}`
const LARGEST_SOUND = `upstreams:\n${['a', 'b', 'c', 'd', 'e'].map(routesOf).join('')}`

function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function check(text: string): void {
  const loaded = loadConfig(text, 'hostile.yaml', {})
  if (loaded.ok) return void formatWarnings(warningsOf(loaded.config, loaded.origins))
  expect(loaded.faults.length).toBeGreaterThan(0)
  expect(formatFaults(loaded.faults).length).toBeLessThan(200_000)
}

/** CPU time of a large valid file. Measured, not fixed: a machine under load is slower with every file. */
const yardstickMs = Math.max(...[1, 2, 3].map(() => cpuMs(() => check(LARGEST_SOUND))))

test.each(Object.entries(HOSTILE))(
  '%s: loadConfig takes less than three times the CPU time of a large valid file',
  (_name, text) => {
    expect(text.length).toBeLessThanOrEqual(MOST)
    expect(cpuMs(() => check(text))).toBeLessThan(3 * yardstickMs)
  },
)

const shipped = readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8')
const lines = shipped.split('\n')

/** The shipped file, with characters cut out and others put in, or lines moved: mistakes that people make. */
const mistaken = fc.oneof(
  fc
    .tuple(fc.nat(shipped.length), fc.nat(40), fc.string({ maxLength: 12 }))
    .map(([at, cut, put]) => shipped.slice(0, at) + put + shipped.slice(at + cut)),
  fc
    .tuple(fc.nat(lines.length - 1), fc.nat(lines.length - 1), fc.nat(8))
    .map(([from, to, indent]) => lines.toSpliced(to, 0, ' '.repeat(indent) + (lines[from] ?? '').trim()).join('\n')),
)

/** Any JSON value under a known key. */
const misplaced = fc
  .tuple(fc.constantFrom('listen', 'control', 'job', 'timeouts', 'defaults', 'upstreams', 'health'), fc.jsonValue())
  .map(([key, value]) => JSON.stringify({ upstreams: { a: { url: 'http://x' } }, [key]: value }))

const misplacedInside = fc
  .tuple(fc.constantFrom('timeout', 'retry', 'breaker', 'routes', 'rate', 'url', 'health', 'hedge'), fc.jsonValue())
  .map(([key, value]) => JSON.stringify({ upstreams: { a: { url: 'http://x', [key]: value } } }))

test('loadConfig: no text makes it throw', () => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), mistaken, misplaced, misplacedInside)
  fc.assert(fc.property(texts, check), { numRuns: 600 })
})

import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { ask, openRaw } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import type { Scene, Scope } from '../../support/scripted-upstream.ts'
import { sidecarOn } from '../../support/sidecar.ts'

const FILE = randomBytes(300_000)
const TAG = '"v1"'

type Part = {
  /** Bytes sent before the connection is reset; all of them when not given. */
  readonly sends?: number
  readonly tag?: string
  readonly file?: Buffer
  readonly status?: number
  readonly headers?: Record<string, string>
}

/** Serves the file, by ranges where asked for, and breaks off where the part says. */
const serving =
  ({ sends, tag = TAG, file = FILE, status, headers = {} }: Part): Scene =>
  (request, response) => {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const isFresh = request.headers['if-range'] === undefined || request.headers['if-range'] === tag
    const isPart = from !== undefined && isFresh && status !== 200
    const first = isPart ? Number(from) : 0
    const last = isPart && to ? Number(to) : file.length - 1
    const body = file.subarray(first, last + 1)
    response.writeHead(status ?? (isPart ? 206 : 200), {
      'content-length': body.length,
      etag: tag,
      'accept-ranges': 'bytes',
      ...(isPart ? { 'content-range': `bytes ${first}-${last}/${file.length}` } : {}),
      ...headers,
    })
    if (sends === undefined) return void response.end(body)
    response.write(body.subarray(0, sends), () => setImmediate(() => response.socket?.resetAndDestroy()))
  }

async function withResume<C extends Clock>(t: Scope, clock: C, parts: readonly Part[], settings: object = {}) {
  const fixture = await sidecarOn(t, clock, parts.map(serving), {
    defaults: { breaker: { consecutiveFailures: 100, failureRate: false } },
    web: { routes: [{ match: 'GET /file', resume: true }], ...settings },
    path: '/file',
  })
  const resumes = async (outcome: string) =>
    (await fixture.proxy.sample('resumes', { upstream: 'web', route: 'GET /file', outcome })) ?? 0
  return { ...fixture, resumes }
}

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('resume: a download that breaks off several times arrives as one body', async (t) => {
  const { clock, upstream, proxy, resumes, url } = await withResume(t, fakeClock(), [
    { sends: 100_000 },
    { sends: 1 },
    { sends: 150_000 },
    {},
  ])
  const answer = ask(url)
  for (let i = 0; i < 3; i += 1) await clock.elapse(2_000)
  const { status, body, headers } = await answer
  expect([status, sha(body), headers.etag]).toEqual([200, sha(FILE), TAG])
  const asked = upstream.arrivals.map(({ headers: { range, 'if-range': condition } }) => [range, condition?.toString()])
  const delivered = asked.slice(1).map(([range]) => Number(/\d+/.exec(range ?? '')?.[0]))
  expect(asked[0]).toEqual([undefined, undefined])
  expect(asked.slice(1).map(([, condition]) => condition)).toEqual([TAG, TAG, TAG])
  expect(delivered).toEqual([...delivered].sort((a, b) => a - b))
  expect(await resumes('resumed')).toBe(3)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ attempts: 4, bytes_out: FILE.length })
})

test('resume: a range that the client asked for is resumed up to its own end', async (t) => {
  const { clock, upstream, url } = await withResume(t, fakeClock(), [{ sends: 50_000 }, {}])
  const answer = ask(url, { headers: { range: 'bytes=1000-200999' } })
  await clock.elapse(2_000)
  const { status, body, headers } = await answer
  expect([status, sha(body), headers['content-range']]).toEqual([
    206,
    sha(FILE.subarray(1_000, 201_000)),
    `bytes 1000-200999/${FILE.length}`,
  ])
  expect(upstream.arrivals[1]?.headers.range).toMatch(/^bytes=\d+-200999$/)
})

const changed = Buffer.concat([randomBytes(10), FILE.subarray(10)])
test.for<[string, Part]>([
  ['the file has changed in between', { tag: '"v2"', file: changed }],
  ['the upstream sends the whole file', { status: 200 }],
  ['the ETag is another', { headers: { etag: '"v2"' } }],
  ['the range begins elsewhere', { headers: { 'content-range': `bytes 7-${FILE.length - 1}/${FILE.length}` } }],
  ['the file is gone', { status: 404 }],
])('resume: when %s, the client is cut off and never gets mixed bytes', async ([, second], t) => {
  const { clock, url, resumes } = await withResume(t, fakeClock(), [{ sends: 100_000 }, second])
  const answer = ask(url)
  answer.catch(() => {})
  await clock.elapse(2_000)
  await expect(answer).rejects.toThrow()
  expect([await resumes('resumed'), await resumes('failed')]).toEqual([0, 1])
})

const DATE = 'Thu, 01 Jan 2026 00:00:00 GMT'
const SECOND_BEFORE = 'Wed, 31 Dec 2025 23:59:59 GMT'
const WEAK = 'W/"v1"'

test.for<[string, Part, string]>([
  ['a weak ETag', { headers: { etag: WEAK } }, 'weak_etag'],
  ['no ETag', { headers: { etag: '' } }, 'no_validator'],
  ['Accept-Ranges: none', { headers: { 'accept-ranges': 'none' } }, 'no_ranges'],
  ['a date of this second', { headers: { etag: WEAK, 'last-modified': DATE, date: DATE } }, 'recent_date'],
  ['no exact length', { headers: { 'content-range': 'bytes 0-9/*' }, status: 206 }, 'no_length'],
])('resume: a response with %s is not resumed, and the log says why', async ([, first, why], t) => {
  const { upstream, proxy, url, resumes } = await withResume(t, fakeClock(), [{ sends: 100_000, ...first }, {}])
  await expect(ask(url)).rejects.toThrow()
  expect(upstream.arrivals).toHaveLength(1)
  expect(await proxy.logged(({ msg }) => msg === 'resume')).toMatchObject({ resumed: false, why })
  expect(await resumes('failed')).toBe(1)
})

/** As Express sends a file. */
const dated = (modified: string, tag = WEAK): Part => ({
  tag,
  headers: { date: DATE, 'last-modified': modified },
})

test('resume: a weak ETag beside a Last-Modified of a second before is resumed by the date', async (t) => {
  const [first, rest] = [
    { ...dated(SECOND_BEFORE), sends: 100_000 },
    { ...dated(SECOND_BEFORE), tag: SECOND_BEFORE, headers: { ...dated(SECOND_BEFORE).headers, etag: WEAK } },
  ]
  const { clock, upstream, url } = await withResume(t, fakeClock(), [first, rest])
  const answer = ask(url)
  await clock.elapse(2_000)
  expect(sha((await answer).body)).toBe(sha(FILE))
  expect(upstream.arrivals[1]?.headers['if-range']).toBe(SECOND_BEFORE)
})

test.for<[string, Record<string, string>]>([
  ['the date', { 'last-modified': 'Wed, 31 Dec 2025 23:59:58 GMT' }],
  ['the weak ETag', { etag: 'W/"v2"' }],
])('resume: by the date, a rest with another value of %s is not joined', async ([, other], t) => {
  const rest = { tag: SECOND_BEFORE, headers: { ...dated(SECOND_BEFORE).headers, etag: WEAK, ...other } }
  const { clock, proxy, url } = await withResume(t, fakeClock(), [{ ...dated(SECOND_BEFORE), sends: 100_000 }, rest])
  const answer = ask(url)
  answer.catch(() => {})
  await clock.elapse(2_000)
  await expect(answer).rejects.toThrow()
  expect(await proxy.logged(({ msg }) => msg === 'resume')).toMatchObject({ resumed: false, why: 'not_the_rest' })
})

test('resume: retry.attempts bounds the attempts that bring no byte', async (t) => {
  const parts = [{ sends: 100_000 }, { sends: 0 }, { sends: 0 }, {}]
  const { clock, upstream, url } = await withResume(t, fakeClock(), parts, { retry: { attempts: 3 } })
  const answer = ask(url)
  answer.catch(() => {})
  await clock.elapse(2_000)
  await clock.elapse(4_000)
  await expect(answer).rejects.toThrow()
  expect(upstream.arrivals).toHaveLength(3)
})

test('resume: after a client leaves during a back-off, no attempt follows', async (t) => {
  const { clock, upstream, proxy, port } = await withResume(t, fakeClock(), [{ sends: 100_000 }, {}])
  const raw = openRaw(port)
  raw.send('GET /file HTTP/1.1\r\nHost: x\r\n\r\n')
  await clock.armed(2_000)
  raw.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  await clock.advance(10_000)
  expect(upstream.arrivals).toHaveLength(1)
})

test('resume: a route without the setting is not resumed', async (t) => {
  const { upstream, url } = await withResume(t, fakeClock(), [{ sends: 100_000 }, {}], {
    routes: [{ match: 'GET /file' }],
  })
  await expect(ask(url)).rejects.toThrow()
  expect(upstream.arrivals).toHaveLength(1)
})

test('resume: after any breaks and changes of the file, the client gets the right bytes or an abort', {
  timeout: 60_000,
}, async () => {
  const part = fc.record({
    /** Bytes before it breaks off, as a share of what was asked for. */
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    becomes: fc.constantFrom('same', 'same', 'same', 'same', 'changed', 'whole', 'gone'),
  })
  const plan = fc.record({
    size: fc.integer({ min: 1, max: 400_000 }),
    range: fc.option(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }))),
    parts: fc.array(part, { maxLength: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ size, range, parts }) => {
      const cleanUps: (() => unknown)[] = []
      const scope = { onTestFinished: (cleanUp: () => unknown) => cleanUps.push(cleanUp) }
      const file = FILE.subarray(0, Math.min(size, FILE.length))
      const other = Buffer.from(file.map((byte) => byte ^ 0xff))
      const [from, to] = (range ?? [0, 1]).map((share) => Math.floor(share * (file.length - 1))).sort((a, b) => a - b)
      const [first = 0, last = 0] = [from, to]
      const asked = range === null ? {} : { range: `bytes=${first}-${last}` }
      let left = last - first + 1
      const scenes = parts.map(({ share, becomes }, i): Part => {
        const sends = Math.min(left - 1, Math.floor(share * left))
        left -= i === 0 || becomes === 'same' ? sends : 0
        // The first response always has the original file.
        if (i === 0 || becomes === 'same') return { file, sends }
        if (becomes === 'changed') return { file: other, tag: '"v2"', sends }
        return becomes === 'whole' ? { file, status: 200 } : { file, status: 404 }
      })
      const retry = { attempts: 5, backoff: { initial: '1ms', max: '1ms' } }
      const { upstream, url } = await withResume(scope, systemClock, [...scenes, { file }], { retry })
      const answer = await ask(url, { headers: { ...asked, connection: 'close' } }).catch(() => undefined)
      const isAsItWas = parts.slice(1).every(({ becomes }) => becomes === 'same')
      if (isAsItWas || answer !== undefined) {
        expect(answer?.body.equals(file.subarray(first, last + 1))).toBe(true)
        expect(upstream.arrivals.length).toBe(parts.length + 1)
      }
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }),
    { numRuns: 60 },
  )
})

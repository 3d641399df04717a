import { once } from 'node:events'
import { createServer } from 'node:http'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import type { Terminal } from '../../src/commands/terminal.ts'
import { apiAt } from '../../src/commands/remote/sidecar.ts'
import { top } from '../../src/commands/top.ts'
import type { BreakerView, UpstreamView } from '../../src/dashboard/shapes.ts'
import { freshState } from '../../src/dashboard/state.js'
import { frame } from '../../src/top/frame.ts'
import { ask } from '../support/client.ts'
import { breakwater } from '../support/command.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const FAILS: Scene = { status: 503, headers: { connection: 'close' } }

const SCREEN = { columns: 160, rows: 40, isColoured: false }
const FAILURE = {
  at: '2026-01-01T00:00:00Z',
  upstream: 'web',
  route: '*',
  method: 'GET',
  path: '/',
  status: 503,
  reason: null,
  attempts: 1,
  total_ms: 1,
  history: [],
  refused: false,
  trace_id: null,
  request_id: '1',
}
const UPSTREAM: UpstreamView = {
  name: 'web',
  endpoints: [],
  breakers: [],
  in_flight: 0,
  queued: 0,
  limit: 64,
  slowdown: null,
  held: 0,
  impatient: [],
  pauses: [],
  connections: 0,
  retry_budget: 30,
  requests: { total: 0, failed: 0 },
  attempts: { total: 0 },
  resumes: { resumed: 0, failed: 0 },
  latency_ms: { p50: null, p90: null, p99: null },
  last_error: null,
}

const withFailures = (t: Scope, top: object = {}) =>
  withSidecar(t, [{ body: 'ok' }, FAILS], {
    top,
    random: () => 0,
    web: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, openFor: '10s' } },
    others: (url) => ({ other: { url } }),
  })

test('top --once: prints upstreams, unusual breakers and failures', async (t) => {
  const { clock, proxy } = await withFailures(t)
  for (let i = 0; i < 4; i += 1) await ask(`${proxy.own('web')}/jobs/7`)
  await clock.advance(1_000)
  const { code, stdout } = await breakwater(t, ['top', '--url', proxy.controlUrl, '--once']).ended
  expect(code).toBe(0)
  const lines = stdout.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^breakwater {2}http:\/\/127\.0\.0\.1:\d+ {2}\d\d:00:01 {2}live$/)
  expect(lines[2]).toMatch(
    /^UPSTREAM +STATE +REQ\/S +FAILED +P99 +FLIGHT +QUEUE +BUDGET +HELD +ATT\/S +P50 +LAST MINUTE$/,
  )
  expect(lines[3]).toMatch(/^web +down +4 +75 % .* 4 +.*█$/)
  expect(lines[4]).toMatch(/^other +not called +0 +– +–/)
  expect(lines[6]).toBe('web, all routes: open, probes in 9 s')
  expect(lines[8]).toBe('RECENT FAILURES')
  expect(lines[9]).toMatch(/^\d\d:00:00 web GET \/jobs\/7 HTTP 503 ×3 1 attempt, 0 ms \(503 0 ms\)$/)
  expect(lines).toHaveLength(10)
})

test('top: takes the token from the variable of --token-env; a missing token or variable is an error', async (t) => {
  const { proxy } = await withFailures(t, { control: { listen: '127.0.0.1:0', token: 'sesame' } })
  const args = ['top', '--once', '--url', proxy.controlUrl]
  const refused = await breakwater(t, args).ended
  expect([refused.code, refused.stdout]).toEqual([3, ''])
  expect(refused.stderr).toContain('/v1/events needs the token of control.token (401)')
  const shown = await breakwater(t, [...args, '--token-env', 'MINE'], { MINE: 'sesame' }).ended
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('web')])
  const unset = await breakwater(t, [...args, '--token-env', 'NOT_SET']).ended
  expect([unset.code, unset.stderr]).toEqual([2, expect.stringContaining('NOT_SET is not set')])
})

test('top: a refused connection exits with 3 and is reported', async (t) => {
  const { proxy } = await withFailures(t)
  await proxy.app.close()
  const { code, stderr } = await breakwater(t, ['top', '--url', proxy.controlUrl]).ended
  expect([code, stderr]).toEqual([3, expect.stringMatching(/^breakwater: http:.*ECONNREFUSED/)])
})

/** A terminal with 30 rows that records what is written to it. */
function screenOf(columns: number, isColoured = true) {
  const written: string[] = []
  const watchers = new Set<() => void>()
  let press = (_: string) => {}
  let draw = () => {}
  const size = { columns, rows: 30 }
  const terminal: Terminal = {
    write: (text) => {
      written.push(text)
      for (const watch of watchers) watch()
    },
    isTerminal: () => true,
    isColoured: () => isColoured,
    size: () => size,
    onResize: (redraw) => {
      draw = redraw
    },
    onKey: (pressed) => {
      press = pressed
    },
    release: () => written.push('released'),
  }
  const plain = () => stripVTControlCharacters(written.at(-1) ?? '')
  return {
    terminal,
    written,
    plain,
    press: (key: string) => press(key),
    resize: (to: number) => {
      size.columns = to
      draw()
    },
    until: (pattern: RegExp) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!pattern.test(plain())) return
          watchers.delete(look)
          resolve()
        }
        watchers.add(look)
        look()
      }),
  }
}

test('top: redraws each second, fits the width, reports a lost sidecar; q restores the terminal', async (t) => {
  const { clock, proxy } = await withFailures(t)
  const screen = screenOf(200)
  const done = top(
    { url: proxy.controlUrl, api: apiAt(proxy.controlUrl, ''), once: false, env: {} },
    screen.terminal,
    fakeClock(),
    () => {},
  )
  await screen.until(/other +not called +[0–]/)
  for (let i = 0; i < 20; i += 1) await ask(`${proxy.own('web')}/${'x'.repeat(90)}`)
  await clock.advance(1_000)
  await screen.until(/web +down +20 /)
  screen.resize(60)
  expect(screen.plain()).not.toMatch(/HELD/)
  expect(
    Math.max(
      ...screen
        .plain()
        .split('\r\n')
        .map(({ length }) => length),
    ),
  ).toBeLessThanOrEqual(60)
  await proxy.app.close()
  await screen.until(/lost: /)
  screen.press('x')
  screen.press('q')
  expect(await done).toBe(0)
  expect([screen.written[0], ...screen.written.slice(-2)]).toEqual([
    '\x1b[?1049h\x1b[?25l',
    'released',
    '\x1b[?25h\x1b[?1049l',
  ])
})

test('top: a sidecar silent for 10 s is lost and is called again; q ends at once', async (t) => {
  const asked: string[] = []
  const hanging = createServer(({ url = '' }, response) => {
    asked.push(url)
    if (url.endsWith('/v1/events')) response.write('event: history\ndata: {"samples":[],"breakers":[]}\n\n')
  })
  const port = await listening(hanging)
  t.onTestFinished(() => void hanging.close().closeAllConnections())
  const screen = screenOf(80)
  const clock = fakeClock()
  const url = `http://127.0.0.1:${port}/below`
  const done = top({ url, api: apiAt(url, ''), once: false, env: {} }, screen.terminal, clock, () => {})
  expect(screen.plain()).toContain(`${url}    connecting`)
  await screen.until(/connecting/)
  while (asked.length < 6) await once(hanging, 'request')
  expect(asked).toEqual(
    ['events', 'upstreams', 'failures', 'incidents', 'health', 'config'].map((section) => `/below/v1/${section}`),
  )
  await clock.elapse(10_000)
  await screen.until(/lost: silent for 10 s/)
  await clock.elapse(1_000)
  while (asked.length < 12) await once(hanging, 'request')
  screen.press('q')
  expect(await done).toBe(0)
})

test('top: without colours it writes no colour codes', async (t) => {
  const { proxy } = await withFailures(t)
  const screen = screenOf(80, false)
  const done = top(
    { url: proxy.controlUrl, api: apiAt(proxy.controlUrl, ''), once: false, env: {} },
    screen.terminal,
    fakeClock(),
    () => {},
  )
  await screen.until(/web +not called/)
  screen.press('q')
  await done
  for (const code of [1, 2, 31, 32, 33]) expect(screen.written.join('')).not.toContain(`\x1b[${code}m`)
})

test('top: the middle of a long name is cut out; rows that do not fit are counted', () => {
  const named = (name: string) => ({ ...UPSTREAM, name })
  const upstreams = ['payments-production-eu', 'payments-production-us', 'x', 'y', 'z'].map(named)
  const lines = (columns: number, rows: number) =>
    frame({ ...freshState(), upstreams }, { url: '', link: 'live' }, { columns, rows, isColoured: false }).split('\n')
  expect(lines(80, 24).slice(3, 5)).toEqual([
    expect.stringMatching(/^payments-p…uction-eu not called /),
    expect.stringMatching(/^payments-p…uction-us not called /),
  ])
  expect(lines(200, 24)[3]).toMatch(/^payments-production-eu not called /)
  expect(lines(80, 6).slice(-2)).toEqual([expect.stringMatching(/^payments-p…uction-us/), '… 3 more lines'])
})

test('top: counts open breakers, and shows a forced one', () => {
  const breaker = { endpoint: null, forced: null, consecutive_failures: 0, open_for_s: 0, probes_in_flight: 0 } as const
  const breakers: BreakerView[] = [
    { ...breaker, route: null, mode: 'auto', state: 'open' },
    { ...breaker, route: 'GET /own', mode: 'auto', state: 'closed' },
  ]
  const held: BreakerView[] = [{ ...breaker, route: null, mode: 'forced-closed', state: 'closed' }]
  const upstreams = [
    { ...UPSTREAM, name: 'some', breakers },
    { ...UPSTREAM, name: 'held', breakers: held },
  ]
  const shown = frame({ ...freshState(), upstreams }, { url: '', link: 'live' }, { ...SCREEN, isColoured: true })
  expect(shown).toContain('\x1b[31mbroken in part ')
  expect(shown).toContain('\x1b[33mforced closed ')
  expect(stripVTControlCharacters(shown)).toContain('some, all routes but GET /own: open')
})

test('top: failures of the same kind are one line with the newest of them and their number', () => {
  const kinds = ['reset', 'breaker_open', 'breaker_open', 'reset', 'breaker_open']
  const failures = kinds.map((reason, i) => ({ ...FAILURE, reason, path: `/${i}` }))
  const shown = frame({ ...freshState(), failures }, { url: '', link: 'live' }, SCREEN)
  expect(shown.split('\n').slice(-2)).toEqual([
    expect.stringMatching(/web GET \/0 reset ×2 1 attempt/),
    expect.stringMatching(/web GET \/1 breaker_open ×3 1 attempt/),
  ])
})

test('top: control characters in text from a client are replaced', () => {
  const state = { ...freshState(), failures: [{ ...FAILURE, path: '/\x1b[2J\x9b2J\r\nx' }] }
  const shown = frame(state, { url: 'http://x', link: 'live' }, SCREEN)
  expect(shown).toContain('GET /�[2J�2J��x HTTP 503')
  expect(shown.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

test('top: keys look into an upstream, filter by name and force a breaker, whose outcome is shown', async (t) => {
  const { proxy } = await withFailures(t)
  const screen = screenOf(120)
  const done = top(
    { url: proxy.controlUrl, api: apiAt(proxy.controlUrl, ''), once: false, env: { USER: 'ada' } },
    screen.terminal,
    fakeClock(),
    () => {},
  )
  await screen.until(/web +not called/)
  screen.press('\r')
  expect(screen.plain()).toMatch(/BREAKERS[\s\S]*all routes: closed[\s\S]*Esc back/)
  screen.press('\x1b')
  for (const key of ['/', 'w', '\r']) screen.press(key)
  expect(screen.plain()).not.toMatch(/other +not called/)
  for (const key of ['f', 'o', '\r', 'because', '\r']) screen.press(key)
  await screen.until(/web: breaker set to forced-open for 30m/)
  expect(screen.plain()).toMatch(/web is forced open by ada, until .*: “because” since /)
  expect(screen.plain()).toMatch(/web +forced open/)
  for (const key of ['f', 'o', '\x7f', '\x7f', '\x7f', '9d', '\r', '\r']) screen.press(key)
  await screen.until(/Not done: for: at most 7d from now/)
  screen.press('q')
  expect(await done).toBe(0)
})

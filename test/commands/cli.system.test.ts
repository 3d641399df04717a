import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { breakwater, configFile, started } from '../support/command.ts'
import { listening, takenPort } from '../support/ports.ts'

const ON_FREE_PORTS = 'listen: 127.0.0.1:0\ncontrol: { listen: 127.0.0.1:0 }\ncheckpoints: { store: "memory:" }\n'

test('run: a faulty file exits with 2, every fault on stderr, and nothing listens', async (t) => {
  const file = configFile(t, `${ON_FREE_PORTS}servce: x\nupstreams: { web: { url: nowhere } }\n`)
  const { code, stdout, stderr } = await breakwater(t, ['run', '--config', file]).ended
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(
    /proxy\.yaml:4:1: servce: unknown key, did you mean "service"\?[\s\S]*proxy\.yaml:5:26: upstreams\.web\.url/,
  )
})

test('check: prints the faults of a faulty file, or the number of upstreams of a valid one', async (t) => {
  const faulty = await breakwater(t, ['check', configFile(t, 'upstreams: {}')]).ended
  expect([faulty.code, faulty.stdout]).toEqual([2, expect.stringContaining('at least one upstream is needed')])
  const sound = await breakwater(t, ['check', join(import.meta.dirname, '../../proxy.yaml')]).ended
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringContaining('ok, 3 upstreams')])
  expect((await breakwater(t, ['check', '/nowhere.yaml']).ended).code).toBe(2)
})

const UNWISE = `${ON_FREE_PORTS}upstreams: { web: { url: "http://127.0.0.1:1", timeout: { total: 70s } } }\n`

test('check: warnings are printed; they fail only with --strict, except those named by --allow', async (t) => {
  const file = configFile(t, UNWISE)
  const plain = await breakwater(t, ['check', file]).ended
  expect([plain.code, plain.stdout]).toEqual([
    0,
    expect.stringMatching(/total-over-client-timeout[\s\S]*2 warnings\n$/),
  ])
  expect((await breakwater(t, ['check', file, '--strict']).ended).code).toBe(1)
  const allow = ['--allow', 'total-over-client-timeout', '--allow', 'checkpoints-in-memory']
  expect((await breakwater(t, ['check', file, '--strict', ...allow]).ended).code).toBe(0)
  const unknown = await breakwater(t, ['check', file, '--allow', 'everything']).ended
  expect([unknown.code, unknown.stdout]).toEqual([2, expect.stringContaining('there is no such warning')])
})

test('check --json: prints faults and warnings as JSON', async (t) => {
  const file = configFile(t, UNWISE)
  const unwise = await breakwater(t, ['check', '--json', file]).ended
  expect(JSON.parse(unwise.stdout)).toMatchObject({
    file,
    ok: true,
    faults: [],
    warnings: [
      { rule: 'checkpoints-in-memory', line: 3 },
      { rule: 'total-over-client-timeout', line: 4, path: 'upstreams.web.timeout.total', reason: expect.any(String) },
    ],
  })
  const faulty = await breakwater(t, ['check', '--json', configFile(t, 'upstreams: {}\nlog: { level: inf }')]).ended
  expect(faulty.code).toBe(2)
  expect(JSON.parse(faulty.stdout)).toMatchObject({
    ok: false,
    faults: [
      { line: 1, column: 12, path: 'upstreams', message: 'at least one upstream is needed' },
      { line: 2, column: 15, path: 'log.level', suggestion: 'info', excerpt: 'log: { level: inf }', caret: 14 },
    ],
  })
  const missing = await breakwater(t, ['check', '--json', '/nowhere.yaml']).ended
  expect([missing.code, JSON.parse(missing.stdout).ok]).toEqual([2, false])
})

test('run: logs the warnings of the configuration and serves anyway', async (t) => {
  const running = breakwater(t, ['run', '--config', configFile(t, UNWISE)])
  const [line] = await running.until(/.*"rule":"total-over-client-timeout".*/)
  expect(JSON.parse(line)).toMatchObject({
    level: 'warn',
    msg: 'configuration',
    setting: 'upstreams.web.timeout.total',
    place: expect.stringMatching(/proxy\.yaml:4:\d+$/),
  })
  await running.until(/"name":"control.listen"/)
})

test('run: a port in use exits with 1, and stderr names the address', async (t) => {
  const port = await takenPort(t)
  const file = configFile(
    t,
    `listen: 127.0.0.1:${port}\ncontrol: { listen: 127.0.0.1:0 }\ncheckpoints: { store: "memory:" }\nupstreams: { web: { url: http://x } }`,
  )
  const { code, stderr } = await breakwater(t, ['run', '--config', file]).ended
  expect([code, stderr]).toEqual([1, `breakwater: listen 127.0.0.1:${port}: the port is in use\n`])
})

test('run: SIGTERM lets a request under way end, then exits with 0', async (t) => {
  let finish = () => {}
  const upstream = createServer((socket) => {
    socket.once('data', () => {
      finish = () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
    })
  })
  const origin = `http://127.0.0.1:${await listening(upstream)}`
  t.onTestFinished(() => void upstream.close())
  const reached = once(upstream, 'connection')
  const running = breakwater(t, [
    'run',
    '--config',
    configFile(t, `${ON_FREE_PORTS}upstreams: { web: { url: "${origin}" } }`),
  ])
  const [, shared] = await running.until(/"name":"listen","address":"([^"]+)"/)
  const [, control] = await running.until(/"name":"control.listen","address":"([^"]+)"/)
  const answer = ask(`http://${shared}/web/slow`)
  await reached
  running.child.kill('SIGTERM')
  await running.until(/"msg":"draining"/)
  expect((await ask(`http://${control}/readyz`)).status).toBe(503)
  finish()
  expect((await answer).body.toString()).toBe('done')
  const { code, stdout } = await running.ended
  expect(code).toBe(0)
  expect(stdout).toMatch(/"path":"\/web\/slow","status":200[\s\S]*"msg":"drained"/)
})

test('run: exits after the drain, also after a reload', async (t) => {
  const file = configFile(t, `${ON_FREE_PORTS}upstreams: { web: { url: "http://127.0.0.1:1" } }`)
  const running = breakwater(t, ['run', '--config', file])
  await running.until(/"name":"control.listen"/)
  running.child.kill('SIGHUP')
  await running.until(/"msg":"configuration reloaded"/)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('run: a second SIGTERM ends the process at once, with exit code 1', async (t) => {
  const upstream = createServer(() => {})
  const origin = `http://127.0.0.1:${await listening(upstream)}`
  t.onTestFinished(() => void upstream.close())
  const reached = once(upstream, 'connection')
  const running = breakwater(t, [
    'run',
    '--config',
    configFile(t, `${ON_FREE_PORTS}upstreams: { web: { url: "${origin}" } }`),
  ])
  const [, port] = await running.until(/"name":"listen","address":"127\.0\.0\.1:(\d+)"/)
  openRaw(Number(port)).send('GET /web/hangs HTTP/1.1\r\nHost: x\r\n\r\n')
  await reached
  running.child.kill('SIGTERM')
  await running.until(/"msg":"draining"/)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(1)
})

test('usage: the process gives its arguments, its output and its exit code', async (t) => {
  const unknown = await breakwater(t, ['statsu']).ended
  expect([unknown.code, unknown.stdout, unknown.stderr]).toEqual([
    2,
    '',
    expect.stringContaining('did you mean status?'),
  ])
  expect(await breakwater(t, ['--version']).ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  })
  const piped = started(t, ['sh', '-c', `echo 'upstreams: {}' | exec "$0" bin/breakwater.js check -`, process.execPath])
  expect(await piped.ended).toMatchObject({ code: 2, stdout: expect.stringContaining('stdin:1:12: upstreams') })
})

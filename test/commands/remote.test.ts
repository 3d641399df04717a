import { expect, test } from 'vitest'
import { apiAt } from '../../src/commands/remote/sidecar.ts'
import { follow, Reading } from '../../src/commands/remote/tail.ts'
import { ask } from '../support/client.ts'
import { commandLine } from '../support/captured.ts'
import { fakeClock } from '../support/fake-clock.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const FAILS: Scene = { status: 503, headers: { connection: 'close' } }

/** One success and three failures of `web`, whose breaker is open then, and a refusal; a forced breaker of `other`. */
async function inTrouble(t: Scope, top: object = {}) {
  const sidecar = await withSidecar(t, [{ body: 'ok' }, FAILS], {
    top,
    random: () => 0,
    web: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, openFor: '10s' } },
    others: (url) => ({ other: { url } }),
  })
  const { clock, proxy } = sidecar
  for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/jobs/7`)
  await clock.advance(1_000)
  const url = ['--url', proxy.controlUrl]
  const run = (...args: string[]) => commandLine([...args, ...url], { env: { USER: 'ada' } })
  return { ...sidecar, run }
}

test('status: the first line is the sentence of the page; exit code 1 while something is broken', async (t) => {
  const { run } = await inTrouble(t)
  const { code, stdout, stderr } = await run('status')
  expect([code, stderr]).toEqual([1, ''])
  const lines = stdout.split('\n')
  expect(lines[0]).toMatch(/^web is down \(3 × HTTP 503\) since /)
  expect(stdout).toMatch(/\n {2}cost +of 4 requests 3 failed, 1 refused\n/)
  expect(stdout).toMatch(/\n {2}do +nothing here: the sidecar tries it again in 9 s; mend web/)
  expect(stdout).toMatch(/\n {2}runbook +docs\/runbook.md#/)
  expect(stdout).toMatch(/\ndown +web +for 1 s +5\/s +60 % \+ 20 % refused/)
  expect(stdout).toMatch(/\nnot called +other /)
})

test('status --json: the sentence, the others and every upstream', async (t) => {
  const { run } = await inTrouble(t)
  const { code, stdout } = await run('status', '--json')
  const document = JSON.parse(stdout)
  expect(code).toBe(1)
  expect(document).toMatchObject({
    well: false,
    sentence: { tone: 'bad', what: 'web is down (3 × HTTP 503)' },
    others: [],
    upstreams: [
      { name: 'web', state: 'down', last_minute: { requests: 5, failed: 4, refused: 1 } },
      { name: 'other', state: 'idle' },
    ],
  })
})

test('failures: causes before effects, and each failure attempt by attempt; -n bounds them', async (t) => {
  const { run } = await inTrouble(t)
  const { code, stdout } = await run('failures', 'web', '-n', '1')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^3 × +HTTP 503 +web \* +newest .*\n1 × +breaker_open: refused meanwhile, an effect/)
  expect(stdout).toMatch(/web GET \/jobs\/7 breaker_open {2}0 attempts, 0 ms/)
  expect(stdout).toContain('and 3 older ones: -n 4')
  const unknown = await run('failures', 'wbe')
  expect([unknown.code, unknown.stderr]).toEqual([1, 'breakwater: there is no upstream wbe; did you mean web?\n'])
  expect((await run('failures', '-n', 'many')).code).toBe(2)
})

test('breaker: forces with an end, a reason and a name; shows who holds it; auto releases it', async (t) => {
  const { run } = await inTrouble(t)
  const forced = await run('breaker', 'other', 'open', '--reason', 'a backup is restored')
  expect(forced).toMatchObject({ code: 0, stderr: '' })
  expect(forced.stdout).toMatch(/^other, all routes: forced open by ada, since .*, until .*: “a backup is restored”\n$/)
  expect(JSON.parse((await run('breaker', 'other', '--json')).stdout).breakers[0]).toMatchObject({
    mode: 'forced-open',
    forced: { by: 'ada', reason: 'a backup is restored', until: expect.any(String) },
  })
  const endless = await run('breaker', 'other', 'observe', '--for', 'never', '--json')
  expect(JSON.parse(endless.stdout).breakers[0]).toMatchObject({ mode: 'observe', forced: { until: null } })
  expect((await run('breaker', 'other', 'auto')).stdout).toBe('other, all routes: closed\n')
  const missing = await run('breaker', 'other', 'open', '--route', 'GET /x')
  expect([missing.code, missing.stderr]).toEqual([
    1,
    'breakwater: other has no such breaker; it has one for all its routes: leave --route and --endpoint out\n',
  ])
})

test('reload, config, jobs, health: say what the page says', async (t) => {
  const { run } = await inTrouble(t)
  expect((await run('config')).stdout).toMatch(/in force since [\s\S]*Not reloaded since the start\.\n\{\n/)
  expect((await run('config', '--diff')).stdout).toBe('The file has not changed since the start.\n')
  expect((await run('jobs')).stdout).toBe('No job is registered, and there is no checkpoint.\n')
  expect(await run('jobs', 'j1')).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no job j1') })
  const health = await run('health')
  expect([health.code, health.stdout]).toEqual([
    0,
    expect.stringMatching(/: healthy at [\s\S]*well +Takes requests +yes\n/),
  ])
})

test('jobs: the time left, the stages, and the checkpoints of one', async (t) => {
  const { proxy, run } = await inTrouble(t)
  const put = (path: string, body: object) =>
    fetch(`${proxy.controlUrl}/v1/${path}`, {
      method: 'PUT',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  expect((await put('jobs/j1', {})).status).toBe(201)
  const record = { stage: 'download', completed_items: 1, total_items: 2, item_ids: ['a'] }
  expect((await put('checkpoints/j1', record)).ok).toBe(true)
  expect((await run('jobs')).stdout).toMatch(/^j1 +no deadline +download 1 of 2/)
  expect((await run('jobs', 'j1')).stdout).toMatch(
    /^j1: no deadline\n[\s\S]*download: 1 of 2\n {4}Saved .*, revision 1/,
  )
})

test('tail: the last requests, then those that end meanwhile, also after the sidecar was away', async (t) => {
  const { proxy, run } = await inTrouble(t)
  const { code, stdout } = await run('tail', '--no-follow', '-n', '2')
  expect(code).toBe(0)
  expect(stdout.trimEnd().split('\n')).toHaveLength(2)
  expect((await run('tail', '--no-follow', '--failed', '--json')).stdout.trimEnd().split('\n')).toHaveLength(4)

  const clock = fakeClock()
  const reading = new Reading('web', false)
  const shown: string[] = []
  const said: string[] = []
  const ended = new AbortController()
  let told = () => {}
  const done = follow(
    reading,
    apiAt(proxy.controlUrl, ''),
    (requests) => {
      shown.push(...requests.map(({ path }) => path))
      told()
    },
    {
      complain: (text) => {
        said.push(text)
        told()
      },
    },
    clock,
    ended.signal,
  )
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve
    })
  let heard = next()
  await clock.elapse(1_000)
  await heard
  expect(shown).toHaveLength(5)
  await ask(`${proxy.own('web')}/new`)
  heard = next()
  await clock.elapse(1_000)
  await heard
  expect(shown.slice(5)).toEqual(['/new'])
  await proxy.app.close()
  heard = next()
  await clock.elapse(1_000)
  await heard
  expect(said).toEqual([expect.stringMatching(/^breakwater: lost: .*; trying again\n$/)])
  ended.abort()
  await done
})

test('--url of something else than a control listener: exit code 3, and what it is; host:port is enough', async (t) => {
  const { proxy, run } = await inTrouble(t)
  const plain = await withSidecar(t, [{ body: '{"ok":true}', headers: { 'content-type': 'application/json' } }])
  for (const args of [['status'], ['failures'], ['breaker', 'web'], ['jobs'], ['health'], ['config'], ['incidents']])
    for (const elsewhere of [proxy.url, plain.url]) {
      const { code, stdout, stderr } = await commandLine([...args, '--url', elsewhere])
      expect([args, code, stdout, stderr]).toEqual([args, 3, '', expect.stringContaining('is no control listener: ')])
    }
  expect((await commandLine(['incidents', '--url', new URL(proxy.controlUrl).host])).code).toBe(0)
  expect(await run('incidents', 'none')).toMatchObject({ code: 1, stderr: 'breakwater: no such incident: none\n' })
})

test('a sidecar that gives no answer, or wants a token: exit code 3, and what to try', async (t) => {
  const { proxy, run } = await inTrouble(t, { control: { listen: '127.0.0.1:0', token: 'sesame' } })
  for (const args of [
    ['status'],
    ['failures'],
    ['tail'],
    ['breaker', 'web', 'open'],
    ['reload'],
    ['jobs'],
    ['health'],
    ['config'],
    ['incidents'],
  ]) {
    const { code, stdout, stderr } = await run(...args)
    expect([args[0], code, stdout, stderr]).toEqual([
      args[0],
      3,
      '',
      expect.stringMatching(/token[\s\S]*--token-env NAME/),
    ])
  }
  const given = { env: { BREAKWATER_TOKEN: 'sesame' } }
  const hinted = await commandLine(['status', '--url', proxy.controlUrl], given)
  expect(hinted.stderr).toContain('--token-env BREAKWATER_TOKEN')
  const told = await commandLine(['status', '--url', proxy.controlUrl, '--token-env', 'BREAKWATER_TOKEN'], given)
  expect([told.code, told.stderr]).toEqual([1, ''])
  await proxy.app.close()
  const away = await run('status')
  expect([away.code, away.stderr]).toEqual([
    3,
    expect.stringMatching(/(?:ECONNREFUSED|other side closed)[\s\S]*control\.listen\?/),
  ])
})

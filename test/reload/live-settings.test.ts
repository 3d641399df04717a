import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { shownConfig } from '../../src/control/api/shown-config.ts'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { takenPort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const DEAD = { web: { url: 'http://127.0.0.1:9' } }
const AT = '127.0.0.1:0'

test('reload: log.level and log.access take effect', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const upstreams = { web: { url: upstream.origin } }
  const proxy = await startProxy(t, { clock, upstreams, top: { log: { level: 'info', access: false } } })
  const told = () => proxy.log.map(({ msg }) => msg).filter((msg) => msg === 'request' || msg === 'attempt')
  await ask(`${proxy.url}/web/`)
  await proxy.reload({ top: { log: { level: 'debug', access: true } } })
  await ask(`${proxy.url}/web/`)
  expect(told()).toEqual(['attempt', 'request'])
  await proxy.reload({ top: { log: { level: 'warn', access: true } } })
  await ask(`${proxy.url}/web/`)
  expect(told()).toHaveLength(2)
})

test('reload: a new control token replaces the old one at once', async (t) => {
  const control = (token: string) => ({ top: { control: { listen: AT, token } } })
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD, ...control('') })
  expect((await proxy.reload(control('first-token'))).status).toBe(200)
  const asked = (token: string) =>
    ask(`${proxy.controlUrl}/v1/config`, { headers: { authorization: `Bearer ${token}` } })
  expect((await proxy.reload(control('second-token'))).status).toBe(401)
  const reload = `${proxy.controlUrl}/v1/config/reload`
  await ask(reload, { method: 'POST', headers: { authorization: 'Bearer first-token' } })
  expect([(await asked('first-token')).status, (await asked('second-token')).status]).toEqual([401, 200])
  expect((await asked('second-token')).body.toString()).not.toMatch(/-token/)
  expect(JSON.stringify(proxy.log)).not.toMatch(/-token/)
})

test('reload: removing the token of a control listener that is not on loopback is refused', async (t) => {
  const control = (listen: string, token: string) => ({ top: { control: { listen, token } } })
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD, ...control('0.0.0.0:0', 'a-token') })
  const url = `http://127.0.0.1:${proxy.app.addresses().control.port}/v1/config`
  const faultsOf = async (listen: string) => {
    proxy.rewrite(control(listen, ''))
    const headers = { authorization: 'Bearer a-token' }
    return problemOf(await ask(`${url}/reload`, { method: 'POST', headers })).faults
  }
  expect(await faultsOf('0.0.0.0:0')).toMatchObject([{ path: 'control.listen', line: expect.any(Number) }])
  expect(await faultsOf(AT)).toEqual([
    {
      path: '',
      message: 'control.token is needed until control.listen is no longer 0.0.0.0:0: after a restart',
    },
  ])
  expect((await ask(url)).status).toBe(401)
})

test('reload: a token refused for the control listener opens no other listener', async (t) => {
  const control = (token: string) => ({ top: { control: { listen: '0.0.0.0:0', token } } })
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD, ...control('a-token') })
  const url = `http://127.0.0.1:${proxy.app.addresses().control.port}/v1/config`
  const port = await takenPort(t)
  proxy.rewrite({
    upstreams: { web: { ...DEAD.web, listen: `127.0.0.1:${port}` } },
    top: { control: { listen: AT, token: '' } },
  })
  const headers = { authorization: 'Bearer a-token' }
  const { faults } = problemOf(await ask(`${url}/reload`, { method: 'POST', headers }))
  // The port is taken: opening the listener first would name the port instead.
  expect(faults).toMatchObject([{ message: expect.stringMatching(/^control\.token is needed/) }])
})

test('reload: computed timeouts and inputs change for requests and the control API', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, ['hang'])
  const web = {
    url: upstream.origin,
    listen: AT,
    retry: { attempts: 1 },
    timeout: { total: { computed: 'slow' } },
  }
  const job = (name: string, per: string) => ({
    upstreams: { web },
    top: {
      job: { inputs: { [name]: { header: `x-${name}`, default: 1 } } },
      timeouts: { slow: { per: { [name]: per } } },
    },
  })
  const proxy = await startProxy(t, { clock, ...job('shorts', '2s') })
  await proxy.reload(job('clips', '3s'))
  const answer = ask(proxy.own('web'), { headers: { 'x-clips': '4', 'x-shorts': '100' } })
  await upstream.arrival(1)
  await clock.advance(12_000)
  expect(problemOf(await answer).type).toBe('urn:breakwater:total_timeout')
  const timeouts = await ask(`${proxy.controlUrl}/v1/timeouts?clips=5`)
  expect(JSON.parse(timeouts.body.toString())).toMatchObject({ inputs: { clips: 5 }, timeouts: { slow: 15 } })
  expect((await ask(`${proxy.controlUrl}/v1/jobs/a`, { method: 'PUT', body: '{"shorts":1}' })).status).toBe(400)
  expect((await ask(`${proxy.controlUrl}/v1/jobs/a`, { method: 'PUT', body: '{"clips":1}' })).status).toBe(201)
})

test('reload: settings that need a restart are named, and all other changes are in force', async (t) => {
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD })
  const top = {
    service: 'other',
    control: { listen: '127.0.0.1:1' },
    checkpoints: { store: 'memory:', ttl: '2h', interval: 7 },
    tracing: { endpoint: 'http://127.0.0.1:1' },
  }
  const keys = ['service', 'control.listen', 'checkpoints.ttl', 'tracing']
  const answer = await proxy.reload({ top })
  expect([answer.status, JSON.parse(answer.body.toString()).restart_needed]).toEqual([200, keys])
  const { config, last_reload } = JSON.parse((await ask(`${proxy.controlUrl}/v1/config`)).body.toString())
  expect(last_reload).toMatchObject({ outcome: 'applied', restart_needed: keys })
  expect([config.service, config.checkpoints.ttl, config.checkpoints.interval]).toEqual(['test', 86_400_000, 7])
  expect(config.tracing.endpoint).toBe('')
  expect(proxy.log.find(({ msg }) => msg === 'restart needed')).toMatchObject({ level: 'warn', keys })
  const back = await proxy.reload({ top: {} })
  expect(JSON.parse(back.body.toString()).restart_needed).toEqual([])
})

test('reload: health checks follow the configuration', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const web = { url: upstream.origin, health: { path: '/health', interval: '1m' } }
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  const checks = async () => {
    const report = JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString())
    return Object.keys(report.checks)
  }
  expect(await checks()).toEqual(['checkpoint_store', 'disk_space', 'web'])
  await proxy.reload({ upstreams: { web, more: { url: upstream.origin, health: { path: '/other' } } } })
  expect(await checks()).toEqual(['checkpoint_store', 'disk_space', 'web', 'more'])
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/health', '/other'])
})

test('reload: an open breaker is probed early at the new health path', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 500 }, { body: 'well' }])
  const web = (path: string) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      retry: { attempts: 1 },
      breaker: { ...LONG_OPEN, consecutiveFailures: 1 },
      health: { path, interval: '15s' },
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web('/old') })
  await ask(proxy.own('web'))
  await clock.armed(15_000)
  await proxy.reload({ upstreams: web('/new') })
  await clock.elapse(15_000)
  await upstream.arrival(2)
  expect(upstream.arrivals[1]?.target).toBe('/new')
})

test('reload: an adaptive limit keeps its value, within a new max', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const web = (max: number, adaptive = true) => ({
    web: { url: upstream.origin, listen: AT, concurrency: { max, adaptive } },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(100) })
  const limit = async () => await proxy.sample('concurrencyLimit', { upstream: 'web' })
  expect(await limit()).toBe(20)
  await proxy.reload({ upstreams: web(12) })
  expect(await limit()).toBe(12)
  await proxy.reload({ upstreams: web(100) })
  expect(await limit()).toBe(12)
  await proxy.reload({ upstreams: web(50, false) })
  expect(await limit()).toBe(50)
  await proxy.reload({ upstreams: web(100) })
  expect(await limit()).toBe(20)
})

test('GET /v1/config: shows no token, password or tracing header', () => {
  const text = `
upstreams: { web: { url: "http://127.0.0.1:9" } }
control: { token: "\${TOKEN}" }
tracing: { headers: "\${HEADERS}" }
checkpoints: { store: "\${REDIS_URL}" }
health: { redis: "\${REDIS_URL}", celery: { broker: "\${REDIS_URL}" } }`
  const secrets = {
    HEADERS: 'authorization=Bearer%20hunter2-d',
    TOKEN: 'hunter2-a',
    REDIS_URL: 'redis+sentinel://me:hunter2-b@host:1/master/0?sentinel_password=hunter2-c',
  }
  const loaded = loadConfig(text, 'proxy.yaml', secrets)
  if (!loaded.ok) throw new Error('the file is sound')
  const shown = JSON.stringify(shownConfig(loaded.config))
  expect(shown).not.toContain('hunter2')
  expect(JSON.parse(shown)).toMatchObject({
    control: { token: '***' },
    tracing: { headers: [['authorization', '***']] },
    checkpoints: { store: 'redis+sentinel://host:1/master/0' },
    health: { redis: 'redis+sentinel://host:1/master/0', celery: { broker: 'redis+sentinel://host:1/master/0' } },
  })
})

test('reload: an attempt from before the reload does not change a limit that is no longer adaptive', async (t) => {
  const clock = fakeClock()
  const last = Promise.withResolvers<void>()
  const held: Scene = (_, response) => void last.promise.then(() => response.end('ok'))
  const before = Array.from({ length: 39 }, () => ({ body: 'ok' }))
  const upstream = await scriptedUpstream(t, clock, [...before, held, { body: 'ok' }])
  const web = (max: number, adaptive: boolean) => ({
    web: { url: upstream.origin, listen: AT, concurrency: { max, adaptive } },
  })
  const proxy = await startProxy(t, { clock, upstreams: web(100, true) })
  for (const _ of before) await ask(proxy.own('web'))
  const underWay = ask(proxy.own('web'))
  await upstream.begun(40)
  await proxy.reload({ upstreams: web(30, false) })
  last.resolve()
  await underWay
  expect(await proxy.sample('concurrencyLimit', { upstream: 'web' })).toBe(30)
})

test('reload: the old health path is not requested again', async (t) => {
  const clock = fakeClock()
  const answer = Promise.withResolvers<void>()
  const held: Scene = (_, response) => void answer.promise.then(() => response.writeHead(500).end())
  const upstream = await scriptedUpstream(t, clock, [{ status: 500 }, held, { status: 500 }])
  const web = (path: string) => ({
    web: {
      url: upstream.origin,
      listen: AT,
      retry: { attempts: 1 },
      breaker: { ...LONG_OPEN, consecutiveFailures: 1 },
      health: { path, interval: '15s', timeout: '7s' },
    },
  })
  const proxy = await startProxy(t, { clock, upstreams: web('/old') })
  await ask(proxy.own('web'))
  await clock.elapse(15_000)
  await upstream.begun(2)
  await proxy.reload({ upstreams: web('/new') })
  answer.resolve()
  // The old check is over once its timer of 7 s is gone.
  await until(async () => !clock.pending().includes(7_000))
  expect(clock.pending().filter((ms) => ms === 15_000)).toHaveLength(1)
})

test('reload: a file event without a change of the text is no reload', async (t) => {
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD })
  expect(await proxy.app.reload('file')).toBeUndefined()
  proxy.rewrite({ upstreams: { web: { url: 'nowhere' } } })
  expect(await proxy.app.reload('file')).toMatchObject({ trigger: 'file', outcome: 'refused' })
  expect(await proxy.app.reload('file')).toBeUndefined()
  proxy.rewrite({ upstreams: DEAD })
  expect(await proxy.app.reload('file')).toMatchObject({ trigger: 'file', outcome: 'applied' })
})

test('reload: /v1/explain and the logged warnings use the configuration in force', async (t) => {
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: DEAD })
  const explained = async () => {
    const answer = await ask(`${proxy.controlUrl}/v1/explain?upstream=more&path=/x`)
    return [answer.status, JSON.parse(answer.body.toString()).route?.match]
  }
  expect((await explained())[0]).toBe(400)
  const more = { url: 'http://127.0.0.1:9', timeout: { attempt: '30s' }, routes: [{ match: 'GET /x' }] }
  await proxy.reload({ upstreams: { more } })
  expect(await explained()).toEqual([200, 'GET /x'])
  expect(await proxy.logged(({ msg }) => msg === 'configuration')).toMatchObject({ level: 'warn' })
})

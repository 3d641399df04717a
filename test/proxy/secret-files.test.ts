import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock, type FakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

/** A folder as Kubernetes mounts a Secret: each file is a link into `..data`, which is a link that is swapped. */
function mountedSecret(t: Scope) {
  const folder = temporaryFolder(t)
  let count = 0
  const put = (value: string) => {
    count += 1
    mkdirSync(join(folder, `..${count}`))
    writeFileSync(join(folder, `..${count}`, 'key'), value)
    symlinkSync(`..${count}`, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  put('first value\n')
  symlinkSync(join('..data', 'key'), join(folder, 'key'))
  return { file: join(folder, 'key'), put, remove: () => rmSync(join(folder, '..data')) }
}

const withKey = (file: string) => ({ headers: { request: { set: { 'x-api-key': { file } } } } })

async function withSecret(t: Scope, file: string) {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [(request, response) => response.end(request.headers['x-api-key'])])
  const web = { url: upstream.origin, listen: '127.0.0.1:0', ...withKey(file) }
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  const sent = async () => (await ask(proxy.own('web'))).body.toString()
  return { clock, proxy, sent, web }
}

/** Real time in ms: the watch looks at real files. */
const PATIENCE = { timeout: 15_000, interval: 5 }

/** Moves the clock on until the watch, which looks at files in real time, has come that far. */
const noticed = (clock: FakeClock, what: () => unknown) =>
  expect.poll(async () => {
    await clock.advance(1_000)
    return what()
  }, PATIENCE)

test('headers: a value is read again when its Secret is swapped', async (t) => {
  const secret = mountedSecret(t)
  const { clock, proxy, sent } = await withSecret(t, secret.file)
  expect(await sent()).toBe('first value')
  secret.put('second value')
  await noticed(clock, sent).toBe('second value')
  secret.put('third value\r\n')
  await noticed(clock, sent).toBe('third value')
  const told = proxy.log.filter(({ msg }) => msg === 'secret file read')
  expect(told.map(({ path }) => path)).toEqual([secret.file, secret.file])
  expect(JSON.stringify(proxy.log)).not.toMatch(/(first|second|third) value/)
})

test('headers: a file that vanishes or is spoilt keeps its last value, and that is told once', async (t) => {
  const secret = mountedSecret(t)
  const { clock, proxy, sent } = await withSecret(t, secret.file)
  const lost = () => proxy.log.filter(({ msg }) => msg === 'secret file not read: its last value is kept')
  secret.remove()
  await noticed(clock, () => lost().length).toBe(1)
  expect(lost()[0]).toMatchObject({ level: 'warn', path: secret.file, err: { code: 'ENOENT' } })
  secret.put('a\nb')
  let rounds = 0
  await noticed(clock, () => {
    rounds += 1
    return rounds
  }).toBe(20)
  expect(await sent()).toBe('first value')
  secret.put('found again')
  await noticed(clock, sent).toBe('found again')
  expect(lost()).toHaveLength(1)
  secret.put('')
  await noticed(clock, () => lost().length).toBe(2)
  expect(await sent()).toBe('found again')
  expect(JSON.stringify(proxy.log)).not.toMatch(/a\\nb|found again/)
})

test('headers: a file without a readable value stops the start; the error names the key', async (t) => {
  const empty = join(temporaryFolder(t), 'empty')
  writeFileSync(empty, '\n')
  const key = 'upstreams.web.headers.request.set.x-api-key'
  await expect(withSecret(t, '/nowhere/key')).rejects.toThrow(new RegExp(`^${key}: ENOENT.*/nowhere/key`))
  await expect(withSecret(t, empty)).rejects.toThrow(`${key}: ${empty} is empty`)
})

test('reload: files are read again; a vanished one keeps its value, an unread one is refused', async (t) => {
  const secret = mountedSecret(t)
  const { clock, proxy, sent, web } = await withSecret(t, secret.file)
  secret.put('second value')
  await proxy.reload({})
  expect(await sent()).toBe('second value')
  secret.remove()
  expect((await proxy.reload({ upstreams: { web: { ...web, via: false } } })).status).toBe(200)
  expect(await sent()).toBe('second value')
  const routes = [{ match: 'GET /r', ...withKey('/nowhere/key') }]
  const refused = problemOf(await proxy.reload({ upstreams: { web: { ...web, routes } } }))
  expect(refused.faults).toMatchObject([
    { message: expect.stringMatching(/^upstreams\.web\.routes\.0\.headers\.request\.set\.x-api-key: ENOENT/) },
  ])
  // The configuration in force still follows its files.
  secret.put('third value')
  await noticed(clock, sent).toBe('third value')
})

test('GET /v1/config: shows the path of the file, not its value', async (t) => {
  const secret = mountedSecret(t)
  const { proxy } = await withSecret(t, secret.file)
  const { config } = JSON.parse((await ask(`${proxy.controlUrl}/v1/config`)).body.toString())
  expect(config.upstreams[0].headers.request.set).toEqual({ 'x-api-key': { file: secret.file } })
  expect(readFileSync(secret.file, 'utf8')).toBe('first value\n')
})

import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import { setAside } from '../../src/checkpoint/file/file.ts'
import type { StoreNews } from '../../src/checkpoint/store.ts'
import { ALWAYS, checkpoint } from '../checkpoint/store-contract.ts'
import { ask, problemOf } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { withSidecar } from '../support/sidecar.ts'
import { until } from '../support/until.ts'

const SETTINGS = { ttlMs: 86_400_000, maxItems: 1_000 }
const FILE = 'checkpoints.sqlite'

async function sidecar(t: TestContext, folder: string) {
  const { clock, proxy } = await withSidecar(t, [{ body: 'served' }], {
    top: { checkpoints: { store: `file:${folder}` } },
  })
  const load = () => ask(`${proxy.controlUrl}/v1/checkpoints`)
  return { clock, proxy, load }
}

type Hindrance = readonly [name: string, hinder: (folder: string) => string, mend: (folder: string) => void]

const HINDRANCES: readonly Hindrance[] = [
  [
    'a file where its folder should be',
    (folder) => {
      writeFileSync(join(folder, 'data'), 'a letter')
      return join(folder, 'data')
    },
    (folder) => rmSync(join(folder, 'data')),
  ],
  [
    'a folder where its file should be',
    (folder) => {
      mkdirSync(join(folder, FILE))
      return folder
    },
    (folder) => rmSync(join(folder, FILE), { recursive: true }),
  ],
]

test.for(HINDRANCES)(
  'store: with %s requests are served; the store opens once that is removed',
  async ([, hinder, mend], t) => {
    const folder = temporaryFolder(t)
    const { clock, proxy, load } = await sidecar(t, hinder(folder))
    expect((await ask(proxy.own('web'))).body.toString()).toBe('served')
    expect((await ask(`${proxy.controlUrl}/readyz`)).status).toBe(200)
    for (let i = 0; i < 3; i += 1) {
      const answer = problemOf(await load())
      expect([answer.status, String(answer.detail)]).toEqual([503, expect.stringContaining('checkpoints.store file:')])
    }
    expect(await proxy.sample('storeUp')).toBe(0)
    expect(proxy.log.filter(({ msg }) => msg === 'checkpoint store down')).toHaveLength(1)
    mend(folder)
    await clock.elapse(1_000)
    await until(async () => (await load()).status === 200)
    expect(await proxy.sample('storeUp')).toBe(1)
  },
)

test('store: a folder that cannot be written is tried again after growing pauses, up to 30 s', async (t) => {
  const { clock, proxy } = await sidecar(t, '/proc/no-such-place')
  expect((await ask(proxy.own('web'))).status).toBe(200)
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) await clock.elapse(pauseMs)
  expect(proxy.log.filter(({ msg }) => msg === 'checkpoint store down')).toHaveLength(1)
})

/** Limits files to a few KiB: larger writes fail, as on a full disk. */
const FULL = ['bash', '-c', 'ulimit -S -f 2; exec "$@"', 'bash']
const SURVIVE = "data:text/javascript,process.on('SIGXFSZ',()=>{})"

test('store: with a full disk at the start the sidecar serves; the store opens once there is room', async (t) => {
  const lines = [
    'listen: false',
    'control: { listen: 127.0.0.1:0 }',
    `checkpoints: { store: "file:${temporaryFolder(t)}" }`,
    'upstreams: { web: { url: http://127.0.0.1:9 } }',
  ]
  const args = ['run', '--config', configFile(t, `${lines.join('\n')}\n`)]
  const command = breakwater(t, args, { NODE_OPTIONS: `--import=${SURVIVE}` }, FULL)
  const url = await listensAt(command, 'control.listen')
  expect((await ask(`${url}/readyz`)).status).toBe(200)
  expect((await ask(`${url}/v1/checkpoints`)).status).toBe(503)
  expect(spawnSync('prlimit', ['--pid', String(command.child.pid), '--fsize=unlimited']).status).toBe(0)
  await until(async () => (await ask(`${url}/v1/checkpoints`)).status === 200)
})

/** A folder with a file of some 400 KiB. */
async function filled(t: TestContext): Promise<{ folder: string; path: string }> {
  const folder = temporaryFolder(t)
  const store = await openFileStore(folder, SETTINGS, fakeClock())
  const ids = Array.from({ length: 100 }, (_, i) => `${'scene '.repeat(12)}${i}`)
  for (let i = 0; i < 40; i += 1) await store.save(`job-${i}`, checkpoint('s', ids), ALWAYS)
  await store.close()
  return { folder, path: join(folder, FILE) }
}

const spoil = (path: string, from: number) => {
  const bytes = readFileSync(path)
  bytes.fill(0xa5, from)
  writeFileSync(path, bytes)
}

const DAMAGES: readonly (readonly [name: string, damage: (path: string) => void])[] = [
  ['cut short', (path) => truncateSync(path, 30_000)],
  ['overwritten', (path) => spoil(path, 0)],
  ['of another program', (path) => writeFileSync(path, 'dear diary')],
]

test.for(DAMAGES)('store: a file that is %s is set aside, and a new one begun', async ([, damage], t) => {
  const { folder, path } = await filled(t)
  damage(path)
  const before = readFileSync(path)
  const { proxy, load } = await sidecar(t, folder)
  expect((await load()).status).toBe(200)
  expect(readFileSync(`${path}.malformed-1`).equals(before)).toBe(true)
  const line = await proxy.logged(({ msg }) => msg?.startsWith('checkpoint store set aside') ?? false)
  expect(line).toMatchObject({ level: 'error', path: `${path}.malformed-1` })
  expect(await proxy.sample('storesSetAside')).toBe(1)
})

test('store: a file found malformed while open fails one call, and is set aside', async (t) => {
  const { folder, path } = await filled(t)
  const news: StoreNews[] = []
  const store = await openFileStore(folder, SETTINGS, fakeClock(), (one) => news.push(one))
  t.onTestFinished(() => store.close())
  spoil(path, 8_192)
  await expect(store.list(undefined, 100, undefined)).rejects.toThrow('malformed')
  expect(await store.save('after', checkpoint('s', ['a']), ALWAYS)).toMatchObject({ created: true })
  expect((await store.list(undefined, 100, undefined)).records.map(({ job }) => job)).toEqual(['after'])
  expect(news).toMatchObject([{ kind: 'set_aside', path: `${path}.malformed-1` }])
})

test('store: of the files set aside the newest three are kept', (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, FILE)
  for (let i = 1; i <= 5; i += 1) {
    writeFileSync(path, `${i}`)
    writeFileSync(`${path}-wal`, `log ${i}`)
    setAside(path)
  }
  expect(readdirSync(folder).sort()).toEqual(
    [3, 4, 5].flatMap((n) => [`${FILE}.malformed-${n}`, `${FILE}.malformed-${n}-wal`]),
  )
  expect(readFileSync(`${path}.malformed-5`, 'utf8')).toBe('5')
})

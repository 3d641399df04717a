import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { hasRedis, startRedis } from '../support/redis.ts'

needs('redis-server', hasRedis)

const TOKEN = 'a-token-that-nobody-guesses'

async function sidecar(t: TestContext, store: string) {
  const lines = [
    'listen: false',
    `control: { listen: 127.0.0.1:0, token: ${TOKEN} }`,
    `checkpoints: { store: "${store}" }`,
    'upstreams: { web: { url: http://127.0.0.1:9 } }',
  ]
  const command = breakwater(t, ['run', '--config', configFile(t, `${lines.join('\n')}\n`)])
  const url = await listensAt(command, 'control.listen')
  const call = async (method: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const answer = await ask(`${url}/v1/${path}`, { method, headers, body: JSON.stringify(body) })
    expect(answer.status).toBeLessThan(300)
  }
  return { command, url, call }
}

const checkpoints = (t: TestContext, ...words: string[]) => breakwater(t, ['checkpoints', ...words], { TOKEN }).ended

test.runIf(hasRedis)(
  'checkpoints: a running store is listed, backed up, restored elsewhere, and verified',
  async (t) => {
    const folder = temporaryFolder(t)
    const file = join(folder, 'backup.ndjson')
    const { command, url, call } = await sidecar(t, `file:${folder}/data`)
    for (const job of ['film-1', 'film-2']) {
      await call('POST', `checkpoints/${job}/items`, { stage: 'load', item_ids: ['a', 'b'], total_items: 4 })
      await call('POST', `checkpoints/${job}/items`, {
        stage: 'cut',
        item_ids: ['é'],
        metadata: { of: job },
        attempt: 3,
      })
    }
    await call('PUT', 'jobs/film-1', {})
    const at = ['--url', url, '--token-env', 'TOKEN']
    const listed = await checkpoints(t, 'ls', ...at)
    expect(listed.stdout.split('\n').map((line) => line.split('\t').slice(0, 5))).toMatchObject([
      ['JOB', 'STAGE', 'DONE', 'TOTAL', 'REVISION'],
      ['film-1', 'cut', '1', '0', '2'],
      ['film-2', 'cut', '1', '0', '2'],
      [''],
    ])
    const got = JSON.parse((await checkpoints(t, 'get', ...at, 'film-2', '--stage', 'load')).stdout)
    expect(got).toMatchObject({ job_id: 'film-2', stage: 'load', item_ids: ['a', 'b'], attempt: 3 })

    const backup = await checkpoints(t, 'backup', ...at, '--file', file)
    expect([backup.code, backup.stdout]).toEqual([0, `2 checkpoints and 1 jobs in ${file}\n`])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const verified = '2 checkpoints with 4 stages, 1 jobs; 0 cannot be read\n'
    expect(await checkpoints(t, 'verify', '--file', file)).toMatchObject({ code: 0, stdout: verified })
    expect(await checkpoints(t, 'verify', ...at)).toMatchObject({ code: 0, stdout: verified })
    expect((await checkpoints(t, 'rm', ...at, 'film-2')).stdout).toBe('film-2 deleted\n')
    expect(await checkpoints(t, 'get', ...at, 'film-2')).toMatchObject({ code: 1 })
    const refused = await checkpoints(t, 'ls', '--store', `file:${folder}/data`)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('another process has it open')])

    const again = await checkpoints(t, 'restore', ...at, '--file', file)
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('1 checkpoints restored, 1 there already')])
    command.child.kill('SIGTERM')
    await command.ended
    const redis = `redis://127.0.0.1:${(await startRedis(t)).port}/0`
    const restored = await checkpoints(t, 'restore', '--store', redis, '--file', file)
    expect([restored.code, restored.stdout]).toEqual([0, '2 checkpoints restored, 0 there already, 1 jobs\n'])
    const other = join(folder, 'other.ndjson')
    await checkpoints(t, 'backup', '--store', redis, '--file', other)
    const sorted = (path: string) => readFileSync(path, 'utf8').split('\n').sort()
    expect(sorted(other)).toEqual(sorted(file))

    writeFileSync(other, readFileSync(file, 'utf8').split('\n').slice(0, 1).join('\n'))
    expect(await checkpoints(t, 'verify', '--file', other)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('is not whole'),
    })
  },
)

test('checkpoints: a mistyped folder is an error, and is not created', async (t) => {
  const nowhere = join(temporaryFolder(t), 'no-such-store')
  for (const words of [
    ['copy', '--from', `file:${nowhere}`, '--to', 'memory:'],
    ['ls', '--store', `file:${nowhere}`],
    ['backup', '--store', `file:${nowhere}`, '--file', `${nowhere}.ndjson`],
  ]) {
    const out = await checkpoints(t, ...words)
    expect([out.code, out.stderr]).toEqual([1, expect.stringContaining('there is no store in this folder')])
  }
  expect([existsSync(nowhere), existsSync(`${nowhere}.ndjson`)]).toEqual([false, false])
})

test('checkpoints: wrong arguments are named', async (t) => {
  const cases: readonly (readonly [words: string[], said: string])[] = [
    [['ls'], 'one of --store and --url is needed'],
    [['ls', '--store', 'memory:', '--url', 'http://x'], 'one of --store and --url is needed'],
    [['get', '--store', 'memory:'], 'get takes one job'],
    [['backup', '--store', 'memory:'], '--file is missing'],
    [['show', '--store', 'memory:'], 'expected ls, get, rm'],
  ]
  for (const [words, said] of cases) {
    const out = await checkpoints(t, ...words)
    expect([out.code, out.stderr]).toEqual([2, expect.stringContaining(said)])
  }
})

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'

const STAGE = 's'

/** Starts the sidecar as a separate process with a file store in `folder`. */
async function sidecar(t: TestContext, folder: string, env = {}, through: readonly string[] = []) {
  const lines = [
    'listen: false',
    'control: { listen: 127.0.0.1:0 }',
    `checkpoints: { store: "file:${folder}" }`,
    'upstreams: { web: { url: http://127.0.0.1:9 } }',
  ]
  const command = breakwater(t, ['run', '--config', configFile(t, `${lines.join('\n')}\n`)], env, through)
  const url = await listensAt(command, 'control.listen')
  return {
    ...command,
    append: (job: string, id: string) =>
      ask(`${url}/v1/checkpoints/${job}/items`, {
        method: 'POST',
        body: JSON.stringify({ stage: STAGE, item_ids: [id] }),
      }),
    items: async (job: string): Promise<string[]> => {
      const answer = await ask(`${url}/v1/checkpoints/${job}`)
      return answer.status === 404 ? [] : JSON.parse(answer.body.toString()).item_ids
    },
  }
}

test('file store: SIGKILL at any moment loses no acknowledged item', async (t) => {
  const folder = temporaryFolder(t)
  const acknowledged = new Set<string>()
  for (let round = 0; round < 10; round += 1) {
    const { child, ended, append, items } = await sidecar(t, folder)
    expect(await items('j')).toEqual(expect.arrayContaining([...acknowledged]))
    // Each round kills at another moment: after `killAt` answers, while other writes are under way.
    const killAt = (round * 37) % 200
    let answers = 0
    const attempts = Array.from({ length: 200 }, async (_, i) => {
      const id = `${round}-${i}`
      const answer = await append('j', id)
      if (answer.status < 300) acknowledged.add(id)
      answers += 1
      if (answers > killAt) child.kill('SIGKILL')
    })
    const outcomes = await Promise.allSettled(attempts)
    await ended
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(killAt)
  }
  const { items } = await sidecar(t, folder)
  const kept = new Set(await items('j'))
  expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([])
  expect(acknowledged.size).toBeGreaterThan(500)
}, 60_000)

/** Files may not grow over this many KiB: writes fail, as on a full disk. */
const LIMIT_KIB = 400
const limited = ['bash', '-c', `ulimit -S -f ${LIMIT_KIB}; exec "$@"`, 'bash']
/** Handles SIGXFSZ, which would otherwise end the process at the first write over the limit. */
const survive = "data:text/javascript,process.on('SIGXFSZ',()=>{})"

test('file store: a full disk answers 503 and loses no item; with free space, writes succeed again', async (t) => {
  const folder = temporaryFolder(t)
  const { child, append, items } = await sidecar(t, folder, { NODE_OPTIONS: `--import=${survive}` }, limited)
  const wide = 'x'.repeat(500)
  let acknowledged = 0
  let refused: Awaited<ReturnType<typeof append>> | undefined
  while (refused === undefined) {
    const answer = await append(`job-${acknowledged}`, wide)
    if (answer.status === 201) acknowledged += 1
    else refused = answer
  }
  expect(refused.status).toBe(503)
  expect(JSON.parse(refused.body.toString()).detail).toMatch(/checkpoint store is down: /)
  expect(acknowledged).toBeGreaterThan(10)
  expect(await items('job-0')).toEqual([wide])
  expect(await items(`job-${acknowledged}`)).toEqual([])
  expect(spawnSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited']).status).toBe(0)
  expect((await append(`job-${acknowledged}`, wide)).status).toBe(201)
  expect(await items(`job-${acknowledged - 1}`)).toEqual([wide])
  const again = await append('j', wide)
  expect(again.status).toBe(201)
  child.kill('SIGKILL')
  const next = await sidecar(t, join(folder))
  expect(await next.items('job-0')).toEqual([wide])
  expect(await next.items(`job-${acknowledged}`)).toEqual([wide])
}, 30_000)

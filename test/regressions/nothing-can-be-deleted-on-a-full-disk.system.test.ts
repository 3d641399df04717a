import { spawnSync } from 'node:child_process'
import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { until } from '../support/until.ts'

/** Whether this user may mount a file system of its own, in a namespace that ends with the process. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

const SIZE = '12m'

test.runIf(canMount)('store: on a full disk reads and deletions work, and free space for writes', async (t) => {
  const folder = temporaryFolder(t)
  const lines = [
    'listen: false',
    'control: { listen: 127.0.0.1:0 }',
    `checkpoints: { store: "file:${folder}/data" }`,
    'upstreams: { web: { url: http://127.0.0.1:9 } }',
  ]
  const onSmallDisk = ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o size=${SIZE} none ${folder} && exec "$@"`, 'sh']
  const file = configFile(t, `${lines.join('\n')}\n`)
  const command = breakwater(t, ['run', '--config', file], {}, onSmallDisk)
  const url = `${await listensAt(command, 'control.listen')}/v1/checkpoints`
  const inside = join(`/proc/${command.child.pid}/root`, folder)
  const ids = Array.from({ length: 400 }, (_, i) => `${'scene '.repeat(40)}${i}`)
  const save = async (job: string, itemIds: readonly string[]) =>
    (await ask(`${url}/${job}/items`, { method: 'POST', body: JSON.stringify({ stage: 's', item_ids: itemIds }) }))
      .status

  expect(await save('kept', ['a'])).toBe(201)
  const jobs: string[] = []
  for (let i = 0; i < 100; i += 1) {
    if ((await save(`film-${i}`, ids)) === 503) break
    jobs.push(`film-${i}`)
  }
  expect(jobs.length).toBeGreaterThan(5)
  const { bavail, bsize } = statfsSync(inside)
  writeFileSync(join(inside, 'of-another-program'), Buffer.alloc(bavail * bsize, 1))
  expect(statfsSync(inside).bavail).toBe(0)

  expect(await save('more', ids)).toBe(503)
  const [read, refused] = await Promise.all([ask(`${url}/kept`), save('more', ids)])
  expect([read.status, refused]).toEqual([200, 503])
  for (const job of jobs.slice(0, -1)) {
    const gone = await ask(`${url}/${job}`, { method: 'DELETE' })
    expect([job, gone.status]).toEqual([job, 204])
  }
  await until(async () => (await save('more', ids)) < 300)
  expect((await ask(`${url}/${jobs.at(-1)}`)).status).toBe(200)
})

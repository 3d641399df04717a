import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SCALES } from '../../src/demo/pace.ts'
import { tell } from '../../src/demo/story.ts'
import { ask } from '../support/client.ts'
import { until } from '../support/until.ts'

test('demo: the page shows jobs and checkpoints while the demo runs, and is served until it is closed', async () => {
  const ended = new AbortController()
  const page = Promise.withResolvers<string>()
  const text = readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8')
  const setting = { text, file: 'proxy.yaml', logTo: () => {}, pageAt: page.resolve }
  const telling = tell(setting, () => {}, ended.signal, SCALES[0])
  const url = await page.promise
  const read = async (path: string) => JSON.parse((await ask(`${url}${path}`)).body.toString())
  expect((await ask(url)).body.toString()).toContain('<title>Breakwater</title>')
  await until(async () => (await read('v1/checkpoints')).checkpoints.length > 0)
  expect((await read('v1/jobs')).jobs.at(-1)).toMatchObject({ job_id: 'video-1', time_left_s: expect.any(Number) })
  ended.abort()
  const { result, close } = await telling
  expect(result.videos).toBeGreaterThan(0)
  const { incidents }: { incidents: { id: string }[] } = await read('v1/incidents')
  expect(result.incidents.map(({ page }) => page)).toEqual(
    incidents.map(({ id }) => `${url}#/incidents/${id}`).reverse(),
  )
  expect((await ask(url)).status).toBe(200)
  await close()
  await expect(ask(url)).rejects.toThrow('ECONNREFUSED')
})

import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { warningsOf } from '../../src/config/warnings.ts'
import { ConfigThread } from '../../src/reload/config-thread.ts'
import { fakeClock } from '../support/fake-clock.ts'

const SOUND = 'upstreams: { web: { url: "${URL}" } }'
const FAULTY = 'upstreams: { web: { uurl: x } }'
const env = { URL: 'http://web:8000' }

test('config thread: returns the frozen result of loadConfig, and works again after 60 s without use', async () => {
  const clock = fakeClock()
  const thread = new ConfigThread(clock)
  const read = (text: string) => thread.load({ text, file: 'proxy.yaml', env })
  const first = await read(SOUND)
  if (!first.ok) throw new Error('the file is sound')
  const here = loadConfig(SOUND, 'proxy.yaml', env)
  if (!here.ok) throw new Error('the file is sound')
  const urlOf = (origins: typeof first.origins) => origins.of(['upstreams', 'web', 'url'])
  expect([first.config, urlOf(first.origins)]).toEqual([here.config, urlOf(here.origins)])
  expect(first.warnings).toEqual(warningsOf(here.config, here.origins))
  expect([Object.isFrozen(first.config), Object.isFrozen(first.config.upstreams[0]?.retry)]).toEqual([true, true])
  expect(await read(FAULTY)).toEqual(loadConfig(FAULTY, 'proxy.yaml', env))
  await clock.elapse(60_000)
  expect((await read(SOUND)).ok).toBe(true)
})

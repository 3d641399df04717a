import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { Reloads } from '../../src/reload/reloads.ts'
import type { Given } from '../../src/reload/config-thread.ts'
import { fakeClock } from '../support/fake-clock.ts'

const NOWHERE = { file: 'proxy.yaml', of: () => undefined, textOf: () => undefined }

const textOf = (name: string) => `upstreams: { ${name}: { url: "http://${name}" } }`

function soundConfig(text: string): Config {
  const loaded = loadConfig(text, 'proxy.yaml', {})
  if (!loaded.ok) throw new Error('the file is sound')
  return loaded.config
}

/** Reloads whose activation ends when the test calls `finish`. */
function reloadsInSteps() {
  let text = textOf('one')
  const done: string[] = []
  const gates: (() => void)[] = []
  const waiting: (() => void)[] = []
  const source = {
    file: 'proxy.yaml',
    text,
    version: text,
    read: async () => {
      const now = text
      const given = { ok: true as const, config: soundConfig(now), origins: NOWHERE, warnings: [] }
      return { version: now, text: now, load: async () => given }
    },
    watch: () => ({ close: () => {} }),
  }
  const apply = async ({ config }: Given) => {
    const name = config.upstreams[0]?.name ?? ''
    done.push(`begins ${name}`)
    await new Promise<void>((resolve) => {
      gates.push(resolve)
      for (const tell of waiting.splice(0)) tell()
    })
    done.push(`ends ${name}`)
  }
  const deps = { clock: fakeClock(), emit: () => {} }
  const reloads = new Reloads(source, soundConfig(text), apply, deps)
  const finish = async () => {
    if (gates.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    gates.shift()?.()
  }
  const write = (name: string) => {
    text = textOf(name)
  }
  return { reloads, done, finish, write }
}

test('reloads: run one after another; each reads the file when its turn comes', async () => {
  const { reloads, done, finish, write } = reloadsInSteps()
  write('two')
  const first = reloads.request('signal')
  const second = reloads.request('api')
  const third = reloads.request('file')
  await new Promise((resolve) => setImmediate(resolve))
  write('three')
  await finish()
  expect((await first)?.version).toBe(textOf('two'))
  await finish()
  expect((await second)?.version).toBe(textOf('three'))
  expect(await third).toBeUndefined()
  expect(done).toEqual(['begins two', 'ends two', 'begins three', 'ends three'])
  expect(reloads.inForce.config.upstreams[0]?.name).toBe('three')
})

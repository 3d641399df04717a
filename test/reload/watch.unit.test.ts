import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FolderEvents, watchFile } from '../../src/reload/watch.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** A file as in a mounted ConfigMap: a link through `..data` to a folder, which `publish` swaps as a whole. */
function configMap(t: Scope) {
  const folder = temporaryFolder(t)
  let n = 0
  const publish = (text: string) => {
    n += 1
    mkdirSync(join(folder, `..${n}`))
    writeFileSync(join(folder, `..${n}`, 'proxy.yaml'), text)
    symlinkSync(`..${n}`, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    if (n > 1) rmSync(join(folder, `..${n - 1}`), { recursive: true })
  }
  publish('first')
  symlinkSync(join('..data', 'proxy.yaml'), join(folder, 'proxy.yaml'))
  return { file: join(folder, 'proxy.yaml'), publish }
}

function plainFile(t: Scope) {
  const file = join(temporaryFolder(t), 'proxy.yaml')
  writeFileSync(file, 'first')
  return file
}

const NO_EVENTS: FolderEvents = () => ({ close: () => {} })

/** Starts a watch and waits for its first report. @param agoMs how long before the start the file was written. */
async function watching(t: Scope, file: string, events?: FolderEvents, agoMs = 3_600_000) {
  const clock = fakeClock()
  const shift = Date.now() + agoMs
  const later = { ...clock, wallNow: () => shift + clock.now() }
  let told = 0
  const waiting: (() => void)[] = []
  const onChange = () => {
    told += 1
    for (const resolve of waiting.splice(0)) resolve()
  }
  const watch = watchFile(file, onChange, () => {}, later, events)
  t.onTestFinished(() => watch.close())
  const next = () => new Promise<void>((resolve) => waiting.push(resolve))
  /** Waits 100 ms without a change, after which the watch reports the change. */
  const settle = async () => {
    const changed = next()
    await clock.elapse(100)
    await changed
  }
  await settle()
  return { clock, watch, settle, told: () => told }
}

const WAYS: readonly (readonly [
  name: string,
  prepare: (t: Scope) => { file: string; change: (text: string) => void },
])[] = [
  [
    'written in place',
    (t) => {
      const file = plainFile(t)
      return { file, change: (text) => writeFileSync(file, text) }
    },
  ],
  [
    'replaced by a rename',
    (t) => {
      const file = plainFile(t)
      const change = (text: string) => {
        writeFileSync(`${file}.new`, text)
        renameSync(`${file}.new`, file)
      }
      return { file, change }
    },
  ],
  [
    'swapped as a ConfigMap',
    (t) => {
      const { file, publish } = configMap(t)
      return { file, change: publish }
    },
  ],
  [
    'behind a link from another folder',
    (t) => {
      const behind = plainFile(t)
      const file = join(temporaryFolder(t), 'link.yaml')
      symlinkSync(behind, file)
      return { file, change: (text) => writeFileSync(behind, text) }
    },
  ],
]

test.for(WAYS)('watch: with events, every change of a file %s is reported', async ([, prepare], t) => {
  const { file, change } = prepare(t)
  const { settle, told } = await watching(t, file)
  for (const text of ['second', 'third!']) {
    change(text)
    await settle()
  }
  expect(told()).toBe(3)
})

test.for(WAYS)('watch: without events, every change of a file %s is reported within 1 s', async ([, prepare], t) => {
  const { file, change } = prepare(t)
  const { clock, settle, told } = await watching(t, file, NO_EVENTS)
  for (const text of ['second', 'third!']) {
    change(text)
    await clock.elapse(900)
    await settle()
  }
  expect(told()).toBe(3)
})

test('watch: a file that is being written is reported once it has not changed for 100 ms', async (t) => {
  const file = plainFile(t)
  const { clock, settle, told } = await watching(t, file, NO_EVENTS)
  writeFileSync(file, 'half')
  await clock.elapse(900)
  await clock.armed(100)
  writeFileSync(file, 'half and')
  await clock.elapse(100)
  expect(told()).toBe(1)
  await settle()
  expect(told()).toBe(2)
})

test('watch: a file written just before the start is reported twice: its mtime may hide a later change', async (t) => {
  const { clock, settle, told } = await watching(t, plainFile(t), NO_EVENTS, 0)
  await clock.elapse(900)
  await settle()
  expect(told()).toBe(2)
})

test('watch: a removed file is reported once', async (t) => {
  const file = plainFile(t)
  const { clock, settle, told } = await watching(t, file, NO_EVENTS)
  rmSync(file)
  await clock.elapse(900)
  await settle()
  for (const ms of [900, 1_000, 1_000]) await clock.elapse(ms)
  expect(told()).toBe(2)
})

test('watch: a folder that cannot be watched is reported once, and polling goes on', async (t) => {
  const file = plainFile(t)
  const clock = fakeClock()
  const faults: unknown[] = []
  const deaf: FolderEvents = (_, __, onFault) => {
    onFault(new Error('no more watches'))
    return { close: () => {} }
  }
  const told = new Promise<void>((resolve) => {
    const watch = watchFile(file, resolve, (error) => faults.push(error), clock, deaf)
    t.onTestFinished(() => watch.close())
  })
  await clock.elapse(100)
  await told
  expect(faults).toEqual([new Error('no more watches')])
})

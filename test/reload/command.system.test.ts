import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const textOf = (name: string) => `
listen: 127.0.0.1:0
control: { listen: 127.0.0.1:0 }
checkpoints: { store: "memory:" }
upstreams: { ${name}: { url: "http://127.0.0.1:9" } }
`

/** Starts `run` and waits until it listens. `reloaded` waits for a reload that added an upstream. */
async function serving(t: Scope, file: string) {
  const command = breakwater(t, ['run', '--config', file])
  const control = await listensAt(command, 'control.listen')
  return { ...command, control, reloaded: (name: string) => command.until(added(name)) }
}

const added = (name: string) => new RegExp(`"trigger":"(\\w+)","version":"\\w+","added":\\["${name}"\\]`)

test('run: SIGHUP reloads the file; a faulty one changes nothing', async (t) => {
  const file = configFile(t, textOf('one'))
  const { child, control, until } = await serving(t, file)
  child.kill('SIGHUP')
  await until(/"trigger":"signal","version":"\w+","added":\[\],"removed":\[\]/)
  writeFileSync(file, `${textOf('two')}servce: x\n`)
  await until(/"trigger":"file",.*"faults":\["6:1: servce: unknown key, did you mean \\"service\\"\?"\]/)
  child.kill('SIGHUP')
  await until(/"trigger":"signal",.*"msg":"configuration refused"/)
  const { config } = JSON.parse((await ask(`${control}/v1/config`)).body.toString())
  expect(config.upstreams[0].name).toBe('one')
})

test('run: a file written in place, or replaced by a rename, is reloaded', async (t) => {
  const file = configFile(t, textOf('one'))
  const { reloaded } = await serving(t, file)
  writeFileSync(file, textOf('two'))
  expect((await reloaded('two'))[1]).toBe('file')
  writeFileSync(`${file}.new`, textOf('three'))
  renameSync(`${file}.new`, file)
  expect((await reloaded('three'))[1]).toBe('file')
})

test('run: every swap of a mounted ConfigMap is reloaded', async (t) => {
  const folder = temporaryFolder(t)
  const publish = (name: string) => {
    mkdirSync(join(folder, `..${name}`))
    writeFileSync(join(folder, `..${name}`, 'proxy.yaml'), textOf(name))
    symlinkSync(`..${name}`, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  publish('one')
  symlinkSync('..data/proxy.yaml', join(folder, 'proxy.yaml'))
  const { reloaded } = await serving(t, join(folder, 'proxy.yaml'))
  for (const name of ['two', 'three']) {
    publish(name)
    await reloaded(name)
  }
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { suiteScope } from './between.ts'
import { bytesOf, echoUpstream } from './echo.ts'
import { hasH2load, run } from './programs.ts'

needs('nghttp2-client', hasH2load)

describe.runIf(hasH2load)('h2load --h1: all succeed', () => {
  const suite = suiteScope()
  let url: string
  beforeAll(async () => {
    const upstream = { url: await echoUpstream(suite), retry: { attempts: 1 } }
    const config = { listen: '127.0.0.1:0', control: { listen: '127.0.0.1:0' }, upstreams: { web: upstream } }
    const file = configFile(suite, JSON.stringify({ ...config, checkpoints: { store: 'memory:' } }))
    url = `${await listensAt(breakwater(suite, ['run', '--config', file]), 'listen')}/web`
  })

  for (const [name, count, target, options] of [
    ['2000 requests on 20 connections', 2_000, '/echo', []],
    ['2000 requests, eight at a time on each connection', 2_000, '/echo', ['-m', '8']],
    ['500 bodies without a length', 500, '/stream/100000', []],
    ['1000 uploads', 1_000, '/echo', ['-d', 'body']],
  ] as const) {
    test(name, async (t) => {
      const folder = temporaryFolder(t)
      writeFileSync(join(folder, 'body'), bytesOf(10_000))
      const args = options.map((option) => (option === 'body' ? join(folder, option) : option))
      const { stdout } = await run('h2load', ['--h1', '-n', `${count}`, '-c', '20', ...args, `${url}${target}`])
      expect(stdout).toContain(`${count} succeeded, 0 failed, 0 errored, 0 timeout`)
      expect(stdout).toContain(`status codes: ${count} 2xx`)
    })
  }
})

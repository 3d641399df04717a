import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, writeSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { temporaryFolder } from '../../support/folder.ts'
import { freePort } from '../../support/ports.ts'
import { startProxy } from '../../support/proxy.ts'

const MIB = 1024 * 1024
const SIZE_MIB = 200
const KILLS = 5

async function serve(t: TestContext, port: number, file: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/file-server.ts'), String(port), file])
  t.onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test(`resume: ${SIZE_MIB} MB arrive whole although the upstream is killed ${KILLS} times`, {
  timeout: 60_000,
}, async (t) => {
  const file = join(temporaryFolder(t), 'file')
  const sent = createHash('sha256')
  const fd = openSync(file, 'w')
  for (let i = 0; i < SIZE_MIB; i += 1) {
    const part = randomBytes(MIB)
    sent.update(part)
    writeSync(fd, part)
  }
  closeSync(fd)
  const port = await freePort()
  let upstream = await serve(t, port, file)
  const proxy = await startProxy(t, {
    clock: systemClock,
    random: Math.random,
    defaults: {
      retry: { attempts: 10, backoff: { initial: '50ms', max: '200ms' } },
      breaker: { consecutiveFailures: 100, failureRate: false },
    },
    upstreams: {
      web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', routes: [{ match: 'GET /file', resume: true }] },
    },
  })
  const response = await new Promise<IncomingMessage>((resolve) => get(`${proxy.own('web')}/file`, resolve))
  const received = createHash('sha256')
  // Uneven offsets, so that a kill hardly ever falls on the end of a chunk.
  const killAt = Array.from({ length: KILLS }, (_, i) => ((i + 0.37) * SIZE_MIB * MIB) / KILLS)
  let bytes = 0
  for await (const chunk of response) {
    received.update(chunk)
    bytes += chunk.length
    if (killAt[0] === undefined || bytes < killAt[0]) continue
    killAt.shift()
    upstream.kill('SIGKILL')
    await once(upstream, 'exit')
    upstream = await serve(t, port, file)
  }
  expect([bytes, received.digest('hex')]).toEqual([SIZE_MIB * MIB, sent.digest('hex')])
  expect(await proxy.sample('resumes', { upstream: 'web', route: 'GET /file', outcome: 'resumed' })).toBe(KILLS)
  const { attempts, bytes_out: out } = await proxy.logged(({ msg }) => msg === 'request')
  expect([Number(attempts) > KILLS, out]).toEqual([true, SIZE_MIB * MIB])
})

/** Builds the image by the Dockerfile's steps, and runs it as a container would be: read-only, not as root. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { buildImage, canBuild, execInImage, healthCheck, type Image, runInImage } from './built-image.ts'
import { until } from '../support/until.ts'

// A container without CAP_SYS_ADMIN may not.
const isPossible = canBuild()

describe.runIf(isPossible)('the image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-image-'))
  let image: Image

  beforeAll(() => {
    image = buildImage(folder)
  }, 300_000)
  afterAll(() => rmSync(folder, { recursive: true }), 60_000)

  /** A command in the image; its output so far, and its exit code once it ends. */
  function start(t: TestContext, words: readonly string[]) {
    const child = runInImage(image, words)
    t.onTestFinished(() => void child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString()
      })
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
    return { child, ended, output: () => output }
  }

  test.for([
    [['--version'], /^\d+\.\d+\.\d+\n$/],
    [['check', '/etc/breakwater/proxy.yaml'], /: ok, 3 upstreams, 9 routes/],
    [['explain', '--config', '/etc/breakwater/proxy.yaml', 'GET', '/video-downloader/jobs/1'], /timeout/],
  ] as const)('breakwater %j works in it', { timeout: 30_000 }, async ([words, told], t) => {
    const { ended, output } = start(t, [...image.entrypoint, ...words])
    expect([await ended, output()]).toEqual([0, expect.stringMatching(told)])
  })

  test('its command passes its health check, stores a checkpoint in its volume, and ends with 0 on SIGTERM', {
    timeout: 120_000,
  }, async (t) => {
    const { child, ended, output } = start(t, [...image.entrypoint, ...image.command])
    const passes = () => {
      try {
        execInImage(child, healthCheck())
        return true
      } catch {
        return false
      }
    }
    await until(async () => passes())
    const save = `fetch('http://127.0.0.1:8081/v1/checkpoints/j', {
      method: 'PUT',
      body: JSON.stringify({ stage: 's', completed_items: 1, total_items: 1, item_ids: ['a'] }),
    }).then(({ status }) => console.log(status, process.getuid()))`
    expect(execInImage(child, ['node', '-e', save])).toBe('201 65532\n')
    child.kill('SIGTERM')
    expect([await ended, output()]).toEqual([0, expect.stringContaining('"msg":"drained"')])
  })

  test('breakwater demo runs in it', { timeout: 120_000 }, async (t) => {
    const { child, ended, output } = start(t, [...image.entrypoint, 'demo'])
    await until(async () => /videos tried|Watch it/.test(output()) || child.exitCode !== null)
    expect([child.exitCode, output()]).toEqual([null, expect.stringMatching(/videos tried|Watch it/)])
    child.kill('SIGINT')
    await ended
  })
})

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Faults, ServiceOptions } from '../../src/demo/job-service.ts'
import { supervise } from '../../src/demo/supervised.ts'
import { ask } from '../support/client.ts'
import type { Scope } from '../support/scripted-upstream.ts'

async function service(t: Scope, kind: ServiceOptions['kind'], faults: Faults = {}) {
  const running = await supervise({ kind, port: 0, pollsToFinish: 2, blockMs: 0, fileBytes: 1_000_000, faults }, 1)
  t.onTestFinished(running.stop)
  return running
}

const parsed = ({ body }: { body: Buffer }) => JSON.parse(body.toString())
const DOWNLOAD = { method: 'POST', body: JSON.stringify({ url: 'https://youtube.com/watch?v=1', quality: 'best' }) }

test('demo service: a repeated POST returns the same job, and polls complete it', async (t) => {
  const { url } = await service(t, 'downloader')
  const first = parsed(await ask(`${url}/jobs`, DOWNLOAD))
  expect(parsed(await ask(`${url}/jobs`, DOWNLOAD))).toEqual(first)
  expect(first).toMatchObject({ status: 'queued', progress: 0 })
  expect((await ask(`${url}/jobs/${first.id}/download`)).status).toBe(425)
  expect(parsed(await ask(`${url}/jobs/${first.id}`)).status).toBe('processing')
  expect(parsed(await ask(`${url}/jobs/${first.id}`)).status).toBe('completed')
  expect((await ask(`${url}/jobs/unknown`)).status).toBe(404)
})

test('demo service: serves a Range of the file if If-Range matches its ETag, else the whole file', async (t) => {
  const { url } = await service(t, 'downloader')
  const { id } = parsed(await ask(`${url}/jobs`, DOWNLOAD))
  for (let i = 0; i < 2; i += 1) await ask(`${url}/jobs/${id}`)
  const whole = await ask(`${url}/jobs/${id}/download`)
  const { etag = '' } = whole.headers
  const range = { range: 'bytes=400000-' }
  const rest = await ask(`${url}/jobs/${id}/download`, { headers: { ...range, 'if-range': etag } })
  expect([rest.status, rest.headers['content-range']]).toEqual([206, 'bytes 400000-999999/1000000'])
  expect(Buffer.concat([whole.body.subarray(0, 400_000), rest.body]).equals(whole.body)).toBe(true)
  const changed = await ask(`${url}/jobs/${id}/download`, { headers: { ...range, 'if-range': '"other"' } })
  expect([changed.status, changed.body.length]).toEqual([200, 1_000_000])
  expect((await ask(`${url}/jobs/${id}/download`, { headers: { range: 'bytes=2000000-' } })).status).toBe(416)
})

test('demo service: answers an upload with its size and hash', async (t) => {
  const { url } = await service(t, 'transcriber')
  const file = Buffer.from('RIFF\r\n--not-the-boundary\r\nsound')
  const body = Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="audio.ogg"\r\n\r\n'),
    file,
    Buffer.from('\r\n--b--\r\n'),
  ])
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  const job = parsed(await ask(`${url}/jobs`, { method: 'POST', headers, body }))
  expect(job).toMatchObject({ file_size: file.length, sha256: createHash('sha256').update(file).digest('hex') })
})

test('demo service: keeps its port and its jobs over a restart', async (t) => {
  const running = await service(t, 'search', { restartEvery: 3 })
  const { id } = parsed(await ask(`${running.url}/search/shorts?query=cats&max_results=3`, { method: 'POST' }))
  await ask(`${running.url}/jobs/${id}`)
  await ask(`${running.url}/jobs/${id}`)
  let answer: Awaited<ReturnType<typeof ask>> | undefined
  while (answer === undefined) answer = await ask(`${running.url}/jobs/${id}`).catch(() => undefined)
  expect(parsed(answer)).toMatchObject({ status: 'completed', result: { results_count: 3 } })
  expect(running.counts().restarts).toBe(1)
})

test('demo service: makes 503, 429 with Retry-After and resets, and counts the faulty calls', async (t) => {
  const burst = await service(t, 'search', { burst: { every: 3, length: 1 } })
  const statuses: number[] = []
  for (let i = 0; i < 4; i += 1) statuses.push((await ask(`${burst.url}/health`)).status)
  expect(statuses).toEqual([200, 503, 200, 200])
  const limited = await service(t, 'downloader', { rateLimit: { calls: 1, perMs: 60_000 } })
  await ask(`${limited.url}/health`)
  const refused = await ask(`${limited.url}/health`)
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60'])
  expect(limited.counts()).toMatchObject({ calls: 2, struggling: 1 })
  const resetting = await service(t, 'search', { resetEvery: 1 })
  await expect(ask(`${resetting.url}/health`)).rejects.toThrow(/hang up|ECONNRESET/)
})

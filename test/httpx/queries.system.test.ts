/** make-video's newest clients: search, downloads, transcription, speech and images, each at its own port with a shape of its own. */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { exampleSidecar, hurried } from '../apis/example.ts'
import { callOf, type JobApi } from '../apis/job-api.ts'
import { type Answer, jobServer, type Script, type Scripted } from '../apis/job-server.ts'
import { SELF_HOSTED_APIS } from '../apis/self-hosted-apis.ts'
import { needs } from '../support/needs.ts'
import { hasHttpx, PYTHON } from '../support/python.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const { search, downloader, transcriber, speech, images } = SELF_HOSTED_APIS
const SERVICES: readonly JobApi[] = [search, downloader, transcriber, speech, images]
const FILE = Buffer.from('0123456789'.repeat(20_000))
const WHOLE: Answer = { headers: { 'content-type': 'video/mp4' }, body: FILE.toString() }
const DIGEST = createHash('sha256').update(FILE).digest('hex')
const FINISHED = SERVICES.map(({ download }) => (download === undefined ? 'completed' : `completed ${DIGEST}`))

async function toldBy(urls: readonly string[]): Promise<string[]> {
  const services = SERVICES.map(({ create, poll, download }, i) => ({
    url: urls[i],
    create: create.path,
    poll: poll.path,
    file: download?.path ?? null,
  }))
  const child = spawn(PYTHON, [join(import.meta.dirname, 'query_jobs.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(services))
  return JSON.parse(await text(child.stdout))
}

/** A server for each service, and the sidecar of the example before them. */
async function servicesOf(t: Scope, polls: (api: JobApi) => readonly Scripted[], file: Answer) {
  const scriptOf = (api: JobApi): Script => ({
    [callOf(api.create)]: [api.create.answer],
    [callOf(api.poll)]: polls(api),
    ...(api.download === undefined ? {} : { [callOf(api.download)]: [file] }),
  })
  const servers = await Promise.all(SERVICES.map((api) => jobServer(t, scriptOf(api))))
  const direct = servers.map(({ origin }) => origin)
  const env = Object.fromEntries(
    SERVICES.map(({ upstream, variables }, i) => [variables[upstream] ?? '', direct[i] ?? '']),
  )
  const through = async () => {
    const { own } = await exampleSidecar(t, systemClock, 'make-video', env, hurried)
    return SERVICES.map(({ upstream }) => own(upstream))
  }
  return { direct, through }
}

needs('python3-httpx', hasHttpx)

test.runIf(hasHttpx)(
  'make-video: what finishes at the services finishes through the sidecar, and failed jobs are told',
  async (t) => {
    const sound = ({ poll }: JobApi) => [poll.pending, poll.pending, poll.done]
    const plain = await servicesOf(t, sound, WHOLE)
    expect(await toldBy(plain.direct)).toEqual(FINISHED)
    const again = await servicesOf(t, sound, WHOLE)
    expect(await toldBy(await again.through())).toEqual(FINISHED)
    const failing = await servicesOf(t, ({ poll }) => [poll.pending, poll.failed], WHOLE)
    expect(await toldBy(await failing.through())).toEqual([
      ...Array(3).fill('failed: no such video'),
      'failed: no voice of that name',
      'failed: out of memory',
    ])
  },
)

test.runIf(hasHttpx)('make-video: faults that end a job without the sidecar are not seen through it', async (t) => {
  const faulty = ({ poll }: JobApi) => [
    poll.pending,
    'reset' as const,
    { status: 503, body: 'Service Unavailable' },
    poll.done,
  ]
  const plain = await servicesOf(t, faulty, { file: FILE })
  for (const told of await toldBy(plain.direct)) expect(told).toMatch(/^error: /)
  const again = await servicesOf(t, faulty, { file: FILE })
  expect(await toldBy(await again.through())).toEqual(FINISHED)
})

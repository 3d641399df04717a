/** The vendors' own clients for Node, each pointed at the sidecar of its example file. A client is loaded by its own test. */

import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { CLOUD_APIS } from './cloud-apis.ts'
import { exampleSidecar, hurried } from './example.ts'
import { callOf, type JobApi, json } from './job-api.ts'
import { jobServer, type Script, type Scripted } from './job-server.ts'

/** What polls meet: a restart, a busy server, a running job. */
const FAULTS: readonly Scripted[] = ['reset', { status: 503, body: 'busy' }, 'reset']

async function through(
  t: Scope,
  { name, upstream, variables }: Pick<JobApi, 'name' | 'upstream' | 'variables'>,
  script: Script,
) {
  const server = await jobServer(t, script)
  const env = Object.fromEntries(Object.values(variables).map((variable) => [variable, server.origin]))
  const proxy = await exampleSidecar(t, systemClock, name, env, hurried)
  const outcomes = () => proxy.log.filter(({ msg }) => msg === 'job ended').map(({ outcome }) => outcome)
  return { server, outcomes, url: proxy.own(upstream) }
}

const script = ({ create, poll }: JobApi, polls: readonly Scripted[], more: Script = {}): Script => ({
  [callOf(create)]: [create.answer],
  [callOf(poll)]: polls,
  ...more,
})

/** Polls of a cancelled job, and the answer to the call that cancels it. */
function cancelScript(api: JobApi): Script {
  const { cancel } = api
  if (cancel?.polled === undefined) throw new Error('no cancelled job is polled')
  return script(api, [cancel.polled], { [callOf(cancel)]: [cancel.answer] })
}

const survived = ({ poll }: JobApi) => [poll.pending, ...FAULTS, poll.pending, poll.done]

test('assemblyai: transcribes through faults that end it without the sidecar, and tells of a failed job', async (t) => {
  const { AssemblyAI } = await import('assemblyai')
  const api = CLOUD_APIS.assemblyai
  const transcribe = (baseUrl: string) =>
    new AssemblyAI({ apiKey: 'k', baseUrl }).transcripts.transcribe(
      { audio: 'https://x/a.mp3' },
      { pollingInterval: 5 },
    )
  const direct = await jobServer(t, script(api, survived(api)))
  await expect(transcribe(direct.origin)).rejects.toThrow()
  const { url, outcomes, server } = await through(t, api, script(api, survived(api)))
  expect(await transcribe(url)).toMatchObject({ status: 'completed', text: 'Hello.' })
  expect(server.arrivals[0]?.headers.authorization).toBe('k')
  const failing = await through(t, api, script(api, [api.poll.pending, api.poll.failed]))
  expect(await transcribe(failing.url)).toMatchObject({ status: 'error' })
  expect([...outcomes(), ...failing.outcomes()]).toEqual(['completed', 'failed'])
})

test('replicate: runs a model through faults, fails and cancels', async (t) => {
  const { default: Replicate } = await import('replicate')
  const api = CLOUD_APIS.replicate
  const client = (url: string) => new Replicate({ auth: 'k', baseUrl: `${url}/v1`, useFileOutput: false })
  const run = (url: string) =>
    client(url).run(`owner/model:${'a'.repeat(64)}`, { input: {}, wait: { mode: 'poll', interval: 5 } })
  const { url, outcomes } = await through(t, api, script(api, survived(api)))
  expect(await run(url)).toEqual(['https://replicate.delivery/out.png'])
  const failing = await through(t, api, script(api, [api.poll.pending, api.poll.failed]))
  await expect(run(failing.url)).rejects.toThrow('CUDA out of memory')
  const cancelled = await through(t, api, cancelScript(api))
  await client(cancelled.url).predictions.create({ version: 'v1', input: {} })
  await client(cancelled.url).predictions.cancel('gm3q')
  expect((await client(cancelled.url).predictions.get('gm3q')).status).toBe('canceled')
  expect([...outcomes(), ...failing.outcomes(), ...cancelled.outcomes()]).toEqual(['completed', 'failed', 'cancelled'])
})

test('openai: a batch is created, polled through faults, read and cancelled', async (t) => {
  const { default: OpenAI } = await import('openai')
  const api = CLOUD_APIS.openai
  const LINE = '{"custom_id":"1","response":{"status_code":200}}\n'
  const content = { 'GET /v1/files/file-2/content': [{ headers: { 'content-type': 'application/jsonl' }, body: LINE }] }
  const { url, outcomes } = await through(t, api, script(api, survived(api), content))
  const client = new OpenAI({ apiKey: 'k', baseURL: `${url}/v1`, maxRetries: 0 })
  const { id } = await client.batches.create({
    input_file_id: 'file-1',
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  })
  const batch = await client.batches.retrieve(id)
  expect(batch.status).toBe('completed')
  expect(await (await client.files.content(batch.output_file_id ?? '')).text()).toBe(LINE)
  const other = await through(t, api, cancelScript(api))
  const second = new OpenAI({ apiKey: 'k', baseURL: `${other.url}/v1`, maxRetries: 0 })
  await second.batches.create({ input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h' })
  expect((await second.batches.cancel(id)).status).toBe('cancelling')
  expect((await second.batches.retrieve(id)).status).toBe('cancelled')
  expect([...outcomes(), ...other.outcomes()]).toEqual(['completed', 'cancelled'])
})

test('azure: a long-running operation is polled where its Operation-Location leads, by the sidecar', async (t) => {
  const {
    default: DocumentIntelligence,
    getLongRunningPoller,
    isUnexpected,
  } = await import('@azure-rest/ai-document-intelligence')
  const api = CLOUD_APIS.azure
  const pending = json({ status: 'running' })
  const { url, outcomes } = await through(t, api, script(api, [pending, ...FAULTS, pending, api.poll.done]))
  const client = DocumentIntelligence(
    url,
    { key: 'k' },
    { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } },
  )
  const initial = await client
    .path('/documentModels/{modelId}:analyze', 'prebuilt-layout')
    .post({ contentType: 'application/json', body: { urlSource: 'https://x/a.pdf' } })
  if (isUnexpected(initial)) throw new Error(initial.body.error.message)
  expect(initial.headers['operation-location']).toContain(`${url}/`)
  const { body } = await getLongRunningPoller(client, initial, { intervalInMs: 5 }).pollUntilDone()
  expect(body).toMatchObject({ status: 'succeeded', analyzeResult: { content: 'Hello' } })
  expect(outcomes()).toEqual(['completed'])
})

test('runpod: a job is polled within the 3 s of the SDK, through faults, and cancelled', async (t) => {
  const { default: runpod } = await import('runpod-sdk')
  const api = CLOUD_APIS.runpod
  const { url, outcomes } = await through(t, api, script(api, survived(api)))
  const endpoint = runpod('k', { baseUrl: `${url}/v2` }).endpoint('ep')
  const { id } = (await endpoint?.run({ input: {} })) ?? { id: '' }
  expect(await endpoint?.status(id)).toMatchObject({ status: 'COMPLETED', output: { text: 'x' } })
  const other = await through(t, api, cancelScript(api))
  const second = runpod('k', { baseUrl: `${other.url}/v2` }).endpoint('ep')
  await second?.run({ input: {} })
  expect(await second?.cancel(id)).toMatchObject({ status: 'CANCELLED' })
  expect(await second?.status(id)).toMatchObject({ status: 'CANCELLED' })
  expect([...outcomes(), ...other.outcomes()]).toEqual(['completed', 'cancelled'])
})

test('fal: a queued request is polled through faults and its result fetched', async (t) => {
  const { createFalClient } = await import('@fal-ai/client')
  const api = CLOUD_APIS.fal
  const result = { 'GET /fal-ai/flux/requests/764c': [json({ images: [{ url: 'https://v3.fal.media/x.png' }] })] }
  const { url, outcomes } = await through(t, api, script(api, survived(api), result))
  const client = createFalClient({
    credentials: 'k',
    retry: { maxRetries: 0 },
    requestMiddleware: async (request) => ({ ...request, url: request.url.replace('https://queue.fal.run', url) }),
  })
  const { data } = await client.subscribe('fal-ai/flux/dev', {
    input: { prompt: 'x' },
    mode: 'polling',
    pollInterval: 5,
  })
  expect(data).toMatchObject({ images: [{ url: 'https://v3.fal.media/x.png' }] })
  expect(outcomes()).toEqual(['completed'])
})

test('aws: what is signed for the real endpoint arrives with its signature, through faults', async (t) => {
  const { TranscribeClient, StartTranscriptionJobCommand, GetTranscriptionJobCommand } = await import(
    '@aws-sdk/client-transcribe'
  )
  const api = CLOUD_APIS.aws
  const { url, outcomes, server } = await through(
    t,
    api,
    script(api, ['reset', { status: 503, body: '{}' }, api.poll.pending, api.poll.done]),
  )
  const { hostname, port } = new URL(url)
  const sent: Record<string, string>[] = []
  const client = new TranscribeClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIA', secretAccessKey: 'k' },
    maxAttempts: 1,
  })
  // Once the request is signed for the real endpoint, it is sent to the sidecar.
  const handler = client.config.requestHandler
  const handle = handler.handle.bind(handler)
  handler.handle = (request, options) => {
    sent.push({ ...request.headers })
    return handle(Object.assign(request, { protocol: 'http:', hostname, port: Number(port) }), options)
  }
  const started = new StartTranscriptionJobCommand({
    TranscriptionJobName: 'talk-1',
    Media: { MediaFileUri: 's3://b/a.mp3' },
  })
  expect((await client.send(started)).TranscriptionJob?.TranscriptionJobStatus).toBe('IN_PROGRESS')
  const get = () => client.send(new GetTranscriptionJobCommand({ TranscriptionJobName: 'talk-1' }))
  expect((await get()).TranscriptionJob?.TranscriptionJobStatus).toBe('IN_PROGRESS')
  expect((await get()).TranscriptionJob?.TranscriptionJobStatus).toBe('COMPLETED')
  expect(outcomes()).toEqual(['completed'])
  const [signed = {}] = sent
  const names = /SignedHeaders=([^,]+)/.exec(signed.authorization ?? '')?.[1]?.split(';') ?? []
  expect(names).toContain('host')
  expect(signed.host).toBe('transcribe.us-east-1.amazonaws.com')
  // The Host that AWS sees is that of the file's url. Here it is the scripted server's.
  const others = ['authorization', ...names.filter((name) => name !== 'host')]
  const arrived = server.arrivals[0]?.headers ?? {}
  expect(others.map((name) => arrived[name])).toEqual(others.map((name) => signed[name]))
})

test('tus: an upload whose part breaks off goes on where the server has it', async (t) => {
  const { Upload } = await import('tus-js-client')
  const FILE = Buffer.alloc(300_000, 'tus')
  const resumable = { 'tus-resumable': '1.0.0' }
  const at = (offset: number, status: number) => ({
    status,
    headers: { ...resumable, 'upload-offset': String(offset), 'upload-length': String(FILE.length) },
  })
  const { url, server } = await through(
    t,
    { name: 'tus', upstream: 'tus', variables: { tus: 'TUS_URL' } },
    {
      'POST /files/': [(origin) => ({ status: 201, headers: { ...resumable, location: `${origin}/files/u1` } })],
      'PATCH /files/u1': ['reset', at(FILE.length, 204)],
      'HEAD /files/u1': ['reset', at(100_000, 200)],
    },
  )
  const location = await new Promise<string | null>((resolve, reject) => {
    const upload = new Upload(FILE, {
      endpoint: `${url}/files/`,
      retryDelays: [5],
      onError: reject,
      onSuccess: () => resolve(upload.url),
    })
    upload.start()
  })
  expect(location).toBe(`${url}/files/u1`)
  const parts = server.arrivals.filter(({ call }) => call.startsWith('PATCH'))
  expect(parts.map(({ headers, body }) => [headers['upload-offset'], body.length])).toEqual([
    ['0', FILE.length],
    ['100000', FILE.length - 100_000],
  ])
})

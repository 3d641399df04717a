/** Job APIs of vendors, in the shapes of their documentation. */

import { type JobApi, json, jsonBody } from './job-api.ts'

const transcript = (status: string, more: object = {}) => ({
  id: 'a1b2',
  status,
  audio_url: 'https://x/a.mp3',
  text: null,
  ...more,
})

const assemblyai: JobApi = {
  name: 'assemblyai',
  upstream: 'assemblyai',
  variables: { assemblyai: 'ASSEMBLYAI_URL' },
  id: 'a1b2',
  create: {
    method: 'POST',
    path: '/v2/transcript',
    ...jsonBody({ audio_url: 'https://x/a.mp3' }),
    answer: json(transcript('queued')),
  },
  poll: {
    method: 'GET',
    path: '/v2/transcript/a1b2',
    pending: json(transcript('processing')),
    done: json(transcript('completed', { text: 'Hello.', words: [{ text: 'Hello.', start: 0, end: 400 }] })),
    failed: json(transcript('error', { error: 'Download error to https://x/a.mp3' })),
    everyMs: 3_000,
  },
  failedStatus: 'error',
}

const prediction =
  (status: string, more: object = {}) =>
  (origin: string) =>
    json(
      {
        id: 'gm3q',
        model: 'owner/model',
        version: 'v1',
        input: { prompt: 'x' },
        logs: 'x'.repeat(100_000),
        output: null,
        error: null,
        status,
        urls: { get: `${origin}/v1/predictions/gm3q`, cancel: `${origin}/v1/predictions/gm3q/cancel` },
        ...more,
      },
      status === 'starting' ? 201 : 200,
    )

const replicate: JobApi = {
  name: 'replicate',
  upstream: 'replicate',
  variables: { replicate: 'REPLICATE_URL', 'replicate-files': 'REPLICATE_FILES_URL' },
  id: 'gm3q',
  create: {
    method: 'POST',
    path: '/v1/predictions',
    ...jsonBody({ version: 'v1', input: {} }),
    answer: prediction('starting'),
  },
  links: ({ body }) => Object.values(JSON.parse(body).urls),
  poll: {
    method: 'GET',
    path: '/v1/predictions/gm3q',
    pending: prediction('processing'),
    done: prediction('succeeded', { output: ['https://replicate.delivery/out.png'] }),
    failed: prediction('failed', { error: 'CUDA out of memory' }),
    everyMs: 1_000,
  },
  failedStatus: 'failed',
  download: { upstream: 'replicate-files', method: 'GET', path: '/xezq/out.png' },
  cancel: {
    method: 'POST',
    path: '/v1/predictions/gm3q/cancel',
    answer: prediction('canceled'),
    polled: prediction('canceled'),
  },
}

const batch = (status: string, more: object = {}) => ({
  id: 'batch_7',
  object: 'batch',
  endpoint: '/v1/chat/completions',
  errors: null,
  input_file_id: 'file-1',
  completion_window: '24h',
  status,
  output_file_id: null,
  created_at: 1_711_471_533,
  request_counts: { total: 1, completed: 0, failed: 0 },
  ...more,
})

const openai: JobApi = {
  name: 'openai-batches',
  upstream: 'openai',
  variables: { openai: 'OPENAI_URL' },
  id: 'batch_7',
  create: {
    method: 'POST',
    path: '/v1/batches',
    ...jsonBody({ input_file_id: 'file-1' }),
    answer: json(batch('validating')),
  },
  poll: {
    method: 'GET',
    path: '/v1/batches/batch_7',
    pending: json(batch('in_progress')),
    done: json(batch('completed', { output_file_id: 'file-2' })),
    failed: json(batch('failed', { errors: { object: 'list', data: [{ code: 'invalid_json_line', line: 1 }] } })),
    everyMs: 6_000,
  },
  failedStatus: 'failed',
  cancel: {
    method: 'POST',
    path: '/v1/batches/batch_7/cancel',
    answer: json(batch('cancelling')),
    polled: json(batch('cancelled')),
  },
}

const RESULTS = '/documentintelligence/documentModels/prebuilt-layout/analyzeResults'
const analysis = (status: string, more: object = {}) => ({
  status,
  createdDateTime: '2026-01-01T00:00:00Z',
  lastUpdatedDateTime: '2026-01-01T00:00:01Z',
  ...more,
})

const azure: JobApi = {
  name: 'azure-document-intelligence',
  upstream: 'azure',
  variables: { azure: 'AZURE_DOCUMENT_INTELLIGENCE_URL' },
  id: '6b6f',
  create: {
    method: 'POST',
    path: '/documentintelligence/documentModels/prebuilt-layout:analyze?api-version=2024-11-30',
    ...jsonBody({ urlSource: 'https://x/a.pdf' }),
    answer: (origin) => ({
      status: 202,
      headers: { 'operation-location': `${origin}${RESULTS}/6b6f?api-version=2024-11-30`, 'retry-after': '1' },
    }),
  },
  links: ({ headers }) => [String(headers['operation-location'])],
  poll: {
    method: 'GET',
    path: `${RESULTS}/6b6f?api-version=2024-11-30`,
    pending: json(analysis('running'), 200, { 'retry-after': '4' }),
    done: json(analysis('succeeded', { analyzeResult: { apiVersion: '2024-11-30', content: 'Hello', pages: [] } })),
    failed: json(analysis('failed', { error: { code: 'InvalidRequest', message: 'x' } })),
    everyMs: 4_000,
  },
  failedStatus: 'failed',
  download: { method: 'GET', path: `${RESULTS}/6b6f/pdf?api-version=2024-11-30` },
  cancel: { method: 'DELETE', path: `${RESULTS}/6b6f?api-version=2024-11-30`, answer: { status: 204 } },
}

const google: JobApi = {
  name: 'google-operations',
  upstream: 'google',
  variables: { google: 'GOOGLE_URL' },
  id: '761',
  create: {
    method: 'POST',
    path: '/v1/speech:longrunningrecognize',
    ...jsonBody({ audio: { uri: 'gs://x/a.flac' } }),
    answer: json({ name: '761' }),
  },
  poll: {
    method: 'GET',
    path: '/v1/operations/761',
    pending: json({ name: '761', metadata: { progressPercent: 40 } }),
    done: json({ name: '761', metadata: { progressPercent: 100 }, done: true, response: { results: [] } }),
    failed: json({ name: '761', done: true, error: { code: 13, message: 'internal' } }),
    everyMs: 3_000,
  },
  failedStatus: 'true',
  cancel: {
    method: 'POST',
    path: '/v1/operations/761:cancel',
    answer: json({}),
    polled: json({ name: '761', done: true, error: { code: 1, message: 'cancelled' } }),
  },
}

const amz = (action: string, body: object) => ({
  method: 'POST',
  path: '/',
  headers: { 'x-amz-target': `Transcribe.${action}`, 'content-type': 'application/x-amz-json-1.1' },
  body: JSON.stringify(body),
})
const transcription = (TranscriptionJobStatus: string, more: object = {}) =>
  json({ TranscriptionJob: { TranscriptionJobName: 'talk-1', TranscriptionJobStatus, ...more } })

const aws: JobApi = {
  name: 'aws-transcribe',
  upstream: 'transcribe',
  variables: { transcribe: 'AWS_TRANSCRIBE_URL', s3: 'AWS_S3_URL' },
  id: 'talk-1',
  create: { ...amz('StartTranscriptionJob', { TranscriptionJobName: 'talk-1' }), answer: transcription('IN_PROGRESS') },
  poll: {
    ...amz('GetTranscriptionJob', { TranscriptionJobName: 'talk-1' }),
    pending: transcription('IN_PROGRESS'),
    done: transcription('COMPLETED', {
      Transcript: { TranscriptFileUri: 'https://s3.us-east-1.amazonaws.com/b/talk-1.json' },
    }),
    failed: transcription('FAILED', { FailureReason: 'Unsupported audio format.' }),
    everyMs: false,
  },
  failedStatus: 'FAILED',
  download: { upstream: 's3', method: 'GET', path: '/b/talk-1.json' },
}

const runpod: JobApi = {
  name: 'runpod',
  upstream: 'runpod',
  variables: { runpod: 'RUNPOD_URL' },
  id: 'c80f-e1',
  create: {
    method: 'POST',
    path: '/v2/ep/run',
    ...jsonBody({ input: {} }),
    answer: json({ id: 'c80f-e1', status: 'IN_QUEUE' }),
  },
  poll: {
    method: 'GET',
    path: '/v2/ep/status/c80f-e1',
    pending: json({ id: 'c80f-e1', status: 'IN_PROGRESS', delayTime: 31 }),
    done: json({ id: 'c80f-e1', status: 'COMPLETED', delayTime: 31, executionTime: 1_437, output: { text: 'x' } }),
    failed: json({ id: 'c80f-e1', status: 'FAILED', error: 'handler raised' }),
    everyMs: 500,
    backoffMs: 200,
  },
  failedStatus: 'FAILED',
  cancel: {
    method: 'POST',
    path: '/v2/ep/cancel/c80f-e1',
    answer: json({ id: 'c80f-e1', status: 'CANCELLED' }),
    polled: json({ id: 'c80f-e1', status: 'CANCELLED' }),
  },
}

const FAL = '/fal-ai/flux/requests/764c'
const queued =
  (status: string, more: object = {}) =>
  (origin: string) =>
    json(
      {
        status,
        request_id: '764c',
        response_url: `${origin}${FAL}`,
        status_url: `${origin}${FAL}/status`,
        cancel_url: `${origin}${FAL}/cancel`,
        ...more,
      },
      status === 'IN_PROGRESS' ? 202 : 200,
    )

const fal: JobApi = {
  name: 'fal',
  upstream: 'fal',
  variables: { fal: 'FAL_QUEUE_URL' },
  id: '764c',
  create: {
    method: 'POST',
    path: '/fal-ai/flux/dev',
    ...jsonBody({ prompt: 'x' }),
    answer: queued('IN_QUEUE', { queue_position: 0 }),
  },
  links: ({ body }) => {
    const { response_url, status_url, cancel_url } = JSON.parse(body)
    return [response_url, status_url, cancel_url]
  },
  poll: {
    method: 'GET',
    path: `${FAL}/status?logs=0`,
    pending: queued('IN_PROGRESS', { logs: null }),
    done: queued('COMPLETED', { metrics: { inference_time: 1.2 } }),
    failed: queued('COMPLETED', { error: 'Request timed out', error_type: 'request_timeout' }),
    everyMs: 500,
  },
  failedStatus: 'COMPLETED',
  cancel: {
    method: 'PUT',
    path: `${FAL}/cancel`,
    answer: json({ status: 'CANCELLATION_REQUESTED' }, 202),
    polled: queued('COMPLETED', { error: 'Request was cancelled', error_type: 'client_cancelled' }),
  },
}

const run = (status: string, code = 200) =>
  json({ data: { id: 'HG7M', actId: 'janedoe~actor', status, defaultDatasetId: 'wmKP' } }, code)

const apify: JobApi = {
  name: 'apify',
  upstream: 'apify',
  variables: { apify: 'APIFY_URL' },
  id: 'HG7M',
  create: { method: 'POST', path: '/v2/acts/janedoe~actor/runs', ...jsonBody({}), answer: run('READY', 201) },
  poll: {
    method: 'GET',
    path: '/v2/actor-runs/HG7M?waitForFinish=5',
    pending: run('RUNNING'),
    done: run('SUCCEEDED'),
    failed: run('TIMED-OUT'),
    everyMs: 3_000,
  },
  failedStatus: 'TIMED-OUT',
  cancel: { method: 'POST', path: '/v2/actor-runs/HG7M/abort', answer: run('ABORTING'), polled: run('ABORTED') },
}

const stability: JobApi = {
  name: 'stability',
  upstream: 'stability',
  variables: { stability: 'STABILITY_URL' },
  id: 'b3c1',
  create: {
    method: 'POST',
    path: '/v2beta/stable-image/upscale/creative',
    ...jsonBody({}),
    answer: json({ id: 'b3c1' }),
  },
  poll: {
    method: 'GET',
    path: '/v2beta/results/b3c1',
    pending: json({ id: 'b3c1', status: 'in-progress' }, 202),
    done: { headers: { 'content-type': 'image/png', 'finish-reason': 'SUCCESS' }, body: 'PNG'.repeat(30_000) },
    failed: json({ id: 'b3c1', name: 'internal_error', errors: ['An unexpected error occurred.'] }, 500),
    everyMs: 3_000,
  },
  failedStatus: 'HTTP 500',
}

export const CLOUD_APIS = { assemblyai, replicate, openai, azure, google, aws, runpod, fal, apify, stability } as const

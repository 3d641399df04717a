/** Job APIs that one runs oneself, in the shapes of their documentation, and make-video's services. */

import { type JobApi, json, jsonBody } from './job-api.ts'

const history = (status_str: string, completed: boolean) =>
  json({ '0f3a': { prompt: [1, '0f3a', {}, {}, ['9']], outputs: {}, status: { status_str, completed, messages: [] } } })

const comfyui: JobApi = {
  name: 'comfyui',
  upstream: 'comfyui',
  variables: { comfyui: 'COMFYUI_URL' },
  id: '0f3a',
  create: {
    method: 'POST',
    path: '/prompt',
    ...jsonBody({ prompt: {} }),
    answer: json({ prompt_id: '0f3a', number: 1, node_errors: {} }),
  },
  poll: {
    method: 'GET',
    path: '/history/0f3a',
    pending: json({}),
    done: history('success', true),
    failed: history('error', false),
    everyMs: 1_000,
  },
  failedStatus: 'HTTP 200',
  download: { method: 'GET', path: '/view?filename=a.png&subfolder=&type=output' },
}

const STATUS = '/fhir/$export-poll-status?_jobId=ab-1'
const manifest = (origin: string) =>
  json({
    transactionTime: '2026-01-01T00:00:00Z',
    request: `${origin}/fhir/$export`,
    requiresAccessToken: true,
    output: [
      { type: 'Patient', url: `${origin}/fhir/Binary/1` },
      { type: 'Observation', url: `${origin}/fhir/Binary/2` },
    ],
    error: [],
  })

const fhir: JobApi = {
  name: 'fhir-bulk-data',
  upstream: 'fhir',
  variables: { fhir: 'FHIR_URL' },
  id: 'ab-1',
  create: {
    method: 'GET',
    path: '/fhir/$export',
    headers: { prefer: 'respond-async', accept: 'application/fhir+json' },
    answer: (origin) => ({ status: 202, headers: { 'content-location': `${origin}${STATUS}` } }),
  },
  links: ({ headers }) => [String(headers['content-location'])],
  poll: {
    method: 'GET',
    path: STATUS,
    pending: { status: 202, headers: { 'x-progress': 'Build in progress', 'retry-after': '7' } },
    done: manifest,
    failed: json({ resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception' }] }, 500),
    everyMs: 7_000,
  },
  failedStatus: 'HTTP 500',
  download: { method: 'GET', path: '/fhir/Binary/1' },
  cancel: { method: 'DELETE', path: STATUS, answer: { status: 202 } },
}

const VARIABLES = {
  search: 'SEARCH_UPSTREAM',
  downloader: 'DOWNLOADER_UPSTREAM',
  transcriber: 'TRANSCRIBER_UPSTREAM',
  speech: 'SPEECH_UPSTREAM',
  images: 'IMAGES_UPSTREAM',
}

const standard =
  (id: string) =>
  (status: string, more: object = {}) =>
    json({
      id,
      status,
      progress: status === 'completed' ? 100 : 10,
      error_message: null,
      error_type: null,
      stages: {},
      ...more,
    })

/** A service of make-video with jobs of its common shape. */
function service(
  upstream: 'search' | 'downloader' | 'transcriber',
  id: string,
  create: string,
  result: object,
): JobApi {
  const job = standard(id)
  return {
    name: 'make-video',
    upstream,
    variables: VARIABLES,
    id,
    create: {
      method: 'POST',
      path: create,
      ...jsonBody({ url: 'https://youtube.com/watch?v=x' }),
      answer: job('queued'),
    },
    poll: {
      method: 'GET',
      path: `/jobs/${id}`,
      pending: job('processing'),
      done: job('completed', result),
      failed: job('failed', { error_message: 'no such video', error_type: 'ValueError' }),
      everyMs: 3_000,
    },
    failedStatus: 'failed',
    ...(upstream === 'downloader' ? { download: { method: 'GET', path: `/jobs/${id}/download` } } : {}),
  }
}

/** Speech: as the others, but for the answer to a creation and the name of the error. */
const speech: JobApi = {
  name: 'make-video',
  upstream: 'speech',
  variables: VARIABLES,
  id: 'sp-3d',
  create: {
    method: 'POST',
    path: '/jobs',
    ...jsonBody({ text: 'x' }),
    answer: json({ success: true, job_id: 'sp-3d', status: 'queued' }),
  },
  poll: {
    method: 'GET',
    path: '/jobs/sp-3d',
    pending: json({ id: 'sp-3d', status: 'processing' }),
    done: json({ id: 'sp-3d', status: 'completed' }),
    failed: json({ id: 'sp-3d', status: 'failed', error: 'no voice of that name' }),
    everyMs: 3_000,
  },
  failedStatus: 'failed',
  download: { method: 'GET', path: '/jobs/sp-3d/download' },
}

/** Images with `async_process: true`, asked for by `query-job?job_id=7`. */
const stage = (word: string, more: object = {}) => json({ job_id: '7', job_stage: word, job_result: null, ...more })

const images: JobApi = {
  name: 'make-video',
  upstream: 'images',
  variables: VARIABLES,
  id: '7',
  create: {
    method: 'POST',
    path: '/v2/generation/text-to-image-with-ip',
    ...jsonBody({ prompt: 'x', async_process: true }),
    answer: stage('WAITING'),
  },
  poll: {
    method: 'GET',
    path: '/v1/generation/query-job?job_id=7',
    pending: stage('RUNNING'),
    done: stage('SUCCESS', { job_result: [{ url: '/files/2026-06-18/a.png' }] }),
    failed: stage('ERROR', { job_status: 'out of memory' }),
    everyMs: 3_000,
  },
  failedStatus: 'ERROR',
  download: { method: 'GET', path: '/files/2026-06-18/a.png' },
}

export const SELF_HOSTED_APIS = {
  comfyui,
  fhir,
  search: service('search', 'ys_0a', '/search/shorts?query=cats&max_results=5', {
    result: { results: [{ video_id: 'x' }] },
  }),
  downloader: service('downloader', 'vd_1b', '/jobs', { filename: 'x.mp4', file_size: 30_000 }),
  transcriber: service('transcriber', 'at_2c', '/jobs', { transcription_segments: [{ start: 0, end: 1, text: 'a' }] }),
  speech,
  images,
} as const

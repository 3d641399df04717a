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

/** A service that is asked by `query-job?job_id=7`, and says `success` inside. */
function queries(upstream: 'speech' | 'images', file: string): JobApi {
  const report = (success: boolean | null, results: readonly object[], error: string | null = null) =>
    json({ data: { job_id: 7, success, results, error } })
  return {
    name: 'make-video',
    upstream,
    variables: VARIABLES,
    id: '7',
    create: { method: 'POST', path: '/generate', ...jsonBody({ text: 'x' }), answer: json({ job_id: 7 }) },
    poll: {
      method: 'GET',
      path: '/query-job?job_id=7',
      pending: report(null, []),
      done: report(true, [{ file: `/files/${file}` }]),
      failed: report(false, [{ file: null }], 'no voice of that name'),
      everyMs: 3_000,
    },
    failedStatus: 'false',
    download: { method: 'GET', path: `/files/${file}` },
  }
}

export const SELF_HOSTED_APIS = {
  comfyui,
  fhir,
  search: service('search', 'ys_0a', '/search/shorts?query=cats&max_results=5', {
    result: { results: [{ video_id: 'x' }] },
  }),
  downloader: service('downloader', 'vd_1b', '/jobs', { filename: 'x.mp4', file_size: 30_000 }),
  transcriber: service('transcriber', 'at_2c', '/jobs', { transcription_segments: [{ start: 0, end: 1, text: 'a' }] }),
  speech: queries('speech', 'a.wav'),
  images: queries('images', 'a.png'),
} as const

/** The three services of make-video as its client sees them: paths, bodies, statuses and ids. */

import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { type Call, failure, type Handler, json, type Reply, type ServiceOptions } from './job-service.ts'

/** A job, and how often it was polled. Kept over restarts, as the real services keep theirs in Redis. */
export type Job = { readonly id: string; polls: number; readonly about: Readonly<Record<string, string | number>> }
export type Jobs = Map<string, Job>

const hash = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
/** No times in answers: identical calls get identical bytes. */
const CREATED_AT = '2026-01-01T00:00:00'

export function handlerFor(options: ServiceOptions, jobs: Jobs): Handler {
  if (options.kind === 'search') return searchHandler(options, jobs)
  return options.kind === 'downloader' ? downloaderHandler(options, jobs) : transcriberHandler(options, jobs)
}

/** Finds or makes the job: a repeated POST gets the existing job. */
function enqueue(jobs: Jobs, id: string, about: Job['about']): Job {
  const job = jobs.get(id) ?? { id, polls: 0, about }
  jobs.set(id, job)
  return job
}

type JobRoute = { readonly job: Job; readonly action: string }

/** `/jobs/{id}` and below. Each poll of the job brings it nearer to its end. */
function jobAt({ method, path }: Call, jobs: Jobs): JobRoute | Reply | undefined {
  const [, id, action = ''] = /^\/jobs\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? []
  if (method !== 'GET' || id === undefined) return undefined
  const job = jobs.get(id)
  if (job === undefined) return failure(404, 'HTTP_ERROR', 'Job not found')
  if (action === '') job.polls += 1
  return { job, action }
}

const isReply = (found: JobRoute | Reply): found is Reply => 'status' in found

function described(job: Job, { pollsToFinish }: ServiceOptions) {
  const isDone = job.polls >= pollsToFinish
  const progress = Math.min(100, Math.floor((job.polls / pollsToFinish) * 100))
  const status = isDone ? 'completed' : job.polls === 0 ? 'queued' : 'processing'
  return { id: job.id, status, progress, created_at: CREATED_AT, error_message: null, ...job.about }
}

/** `GET /jobs` is not a route but `/jobs/` is: FastAPI redirects, with a Location built from Host. */
function slashRedirect({ path }: Call, request: IncomingMessage): Reply | undefined {
  if (path !== '/jobs') return undefined
  return { status: 307, headers: { location: `http://${request.headers.host}/jobs/` } }
}

function searchHandler(options: ServiceOptions, jobs: Jobs): Handler {
  return (call, request) => {
    if (call.path === '/health') return json(200, { status: 'healthy' })
    if (call.method === 'POST' && call.path === '/search/shorts') return search(call, options, jobs)
    if (call.method === 'GET' && call.path === '/jobs/') return json(200, [...jobs.keys()])
    const found = jobAt(call, jobs)
    if (found === undefined) return slashRedirect(call, request)
    if (isReply(found)) return found
    if (found.action === 'wait') found.job.polls = options.pollsToFinish
    const job = described(found.job, options)
    return json(200, { ...job, result: job.status === 'completed' ? resultsOf(found.job) : null })
  }
}

function search({ query }: Call, options: ServiceOptions, jobs: Jobs): Reply {
  const words = query.get('query') ?? ''
  const count = Number(query.get('max_results') ?? 10)
  if (words === '') return failure(422, 'VALIDATION_ERROR', 'query: field required')
  if (!(count >= 1 && count <= 50)) return failure(422, 'VALIDATION_ERROR', 'max_results: 1 to 50')
  const job = enqueue(jobs, `ys_${hash(words).slice(0, 12)}`, { query: words, max_results: count })
  return json(200, { ...described(job, options), result: null })
}

function resultsOf({ about }: Job) {
  const results = Array.from({ length: Number(about.max_results) }, (_, i) => {
    const videoId = hash(`${about.query} ${i}`).slice(0, 11)
    return {
      video_id: videoId,
      title: `Short ${i}`,
      url: `https://youtube.com/watch?v=${videoId}`,
      duration_seconds: 30 + i,
    }
  })
  return { query: about.query, search_type: 'shorts', results_count: results.length, results }
}

function downloaderHandler(options: ServiceOptions, jobs: Jobs): Handler {
  const file = fileOf(options.fileBytes)
  return (call, request) => {
    if (call.path === '/health' || (call.method === 'POST' && call.path === '/jobs')) block(options.blockMs)
    if (call.path === '/health') return json(200, { status: 'degraded' })
    if (call.method === 'POST' && call.path === '/jobs') return requestDownload(call, options, jobs)
    const found = jobAt(call, jobs)
    if (found === undefined) return slashRedirect(call, request)
    if (isReply(found)) return found
    const job = described(found.job, options)
    if (found.action !== 'download')
      return json(200, { ...job, filename: `${job.id}.mp4`, file_size: file.bytes.length })
    if (job.status !== 'completed') return failure(425, 'HTTP_ERROR', 'Download not ready')
    return ranged(file, request, job.id)
  }
}

/** Celery's inspection blocks the event loop that calls it. */
function block(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function requestDownload({ body }: Call, options: ServiceOptions, jobs: Jobs): Reply {
  const asked = parsed(body)
  if (typeof asked?.url !== 'string') return failure(422, 'VALIDATION_ERROR', 'url: field required')
  const quality = typeof asked.quality === 'string' ? asked.quality : 'best'
  const job = enqueue(jobs, `vd_${hash(`${asked.url}:${quality}`).slice(0, 16)}`, { url: asked.url, quality })
  return json(200, described(job, options))
}

function parsed(body: Buffer): { url?: unknown; quality?: unknown } | undefined {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined // what is no JSON has no url, and is answered as such
  }
}

type File = { readonly bytes: Buffer; readonly etag: string }

/** Bytes that differ by position, so that a misplaced part is noticed. */
function fileOf(size: number): File {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) >>> 0, at)
  return { bytes, etag: `"${hash(bytes).slice(0, 32)}"` }
}

/** Answers like Starlette's FileResponse (RFC 9110 section 14): one range, If-Range by ETag, 416. */
function ranged({ bytes, etag }: File, request: IncomingMessage, id: string): Reply {
  const headers = {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${id}.mp4"`,
    'accept-ranges': 'bytes',
    etag,
    'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
  }
  const { range, 'if-range': condition } = request.headers
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (from === undefined || (condition !== undefined && condition !== etag))
    return { status: 200, headers, body: bytes }
  const first = Number(from)
  const last = to === undefined || to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1)
  if (first > last) return { status: 416, headers: { 'content-range': `bytes */${bytes.length}` } }
  const part = { ...headers, 'content-range': `bytes ${first}-${last}/${bytes.length}` }
  return { status: 206, headers: part, body: bytes.subarray(first, last + 1) }
}

function transcriberHandler(options: ServiceOptions, jobs: Jobs): Handler {
  return (call, request) => {
    if (call.path === '/health') return json(200, { status: 'healthy' })
    if (call.method === 'POST' && call.path === '/jobs') return upload(call, request, options, jobs)
    const found = jobAt(call, jobs)
    if (found === undefined) return slashRedirect(call, request)
    if (isReply(found)) return found
    const job = described(found.job, options)
    if (found.action !== 'transcription') return json(200, job)
    if (job.status !== 'completed') return failure(425, 'HTTP_ERROR', 'Transcription not ready')
    const segments = [{ text: 'Olá', start: 0, end: 1.5, duration: 1.5 }]
    return json(200, { transcription_id: job.id, language: 'pt', full_text: 'Olá', segments, total_segments: 1 })
  }
}

/** Reports the size and SHA-256 of what arrived, so that a client can compare. The id comes from the content. */
function upload({ body }: Call, request: IncomingMessage, options: ServiceOptions, jobs: Jobs): Reply {
  const file = filePart(body, request.headers['content-type'] ?? '')
  if (file === undefined) return failure(422, 'VALIDATION_ERROR', 'file: field required')
  const sha256 = hash(file)
  const job = enqueue(jobs, `at_${sha256.slice(0, 16)}`, { filename: 'audio.ogg', file_size: file.length, sha256 })
  return json(200, described(job, options))
}

/** Content of the part `file` of a multipart/form-data body (RFC 7578). */
function filePart(body: Buffer, contentType: string): Buffer | undefined {
  const [, boundary] = /boundary="?([^";]+)"?/.exec(contentType) ?? []
  if (boundary === undefined) return undefined
  const name = body.indexOf('name="file"')
  const start = body.indexOf('\r\n\r\n', name)
  const end = body.indexOf(`\r\n--${boundary}`, start)
  return name < 0 || start < 0 || end < 0 ? undefined : body.subarray(start + 4, end)
}

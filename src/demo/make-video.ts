/** Makes a video from search to transcript with make-video's own polls, retries and patience. What fails there fails here. */

import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Answer, type Ask, type HttpClient, nameOf } from './http-client.ts'
import type { ItemDone } from './video-record.ts'

export type Urls = { readonly search: string; readonly downloader: string; readonly transcriber: string }

/** Result of a video; `stage` and `error` when it failed. */
export type Outcome =
  | { readonly finished: true }
  | { readonly finished: false; readonly stage: string; readonly error: string }

type Job = {
  readonly id: string
  readonly status: string
  readonly sha256?: string
  readonly result?: { readonly results: readonly { readonly url: string }[] } | null
}

const SHORTS = 2
const AUDIO_BYTES = 1024 * 1024
/** Statuses that the client takes for a passing trouble of the transcriber. */
const PASSING = new Set([429, 502, 503, 504])
const UPLOAD_WAITS_MS = [2_000, 4_000, 8_000]
/** Waits between tries of the whole transcription, in ms at full scale. */
const AGAIN_MS = [2_000, 4_000, 8_000, 16_000]

/** @param scale length of a second. */
export async function makeVideo(
  number: number,
  urls: Urls,
  client: HttpClient,
  itemDone: ItemDone,
  scale: number,
): Promise<Outcome> {
  let stage = 'search'
  const enter = (next: string) => {
    stage = next
  }
  try {
    const found = await search(number, urls.search, client, scale)
    await itemDone('searching', 'search', 1)
    for (const { url } of found.result?.results.slice(0, SHORTS) ?? []) {
      enter('download')
      await download(url, urls.downloader, client, scale)
      await itemDone('downloading_shorts', url, SHORTS)
    }
    enter('transcription')
    await transcribed(number, urls.transcriber, client, scale)
    await itemDone('transcribing', 'audio', 1)
    return { finished: true }
  } catch (error) {
    return { finished: false, stage, error: nameOf(error) }
  }
}

async function asked(client: HttpClient, url: string, ask?: Ask): Promise<Answer> {
  const answer = await client.ask(url, ask)
  if (answer.status >= 400) throw new Error(`HTTP ${answer.status}`)
  return answer
}

const jobOf = ({ body }: Answer): Job => JSON.parse(body.toString())

/** One bad poll fails the video. */
async function done(client: HttpClient, url: string, everyMs: number, polls: number): Promise<Job> {
  for (let i = 0; i < polls; i += 1) {
    const job = jobOf(await asked(client, url))
    if (job.status === 'completed') return job
    await pause(everyMs)
  }
  throw new Error('polls used up')
}

async function search(number: number, base: string, client: HttpClient, scale: number): Promise<Job> {
  const query = `query=${encodeURIComponent(`cats & dogs ${number}`)}&max_results=10`
  const { id } = jobOf(await asked(client, `${base}/search/shorts?${query}`, { method: 'POST' }))
  return done(client, `${base}/jobs/${id}`, 2_000 * scale, 150)
}

async function download(url: string, base: string, client: HttpClient, scale: number): Promise<void> {
  const body = JSON.stringify({ url, quality: 'best' })
  const ask: Ask = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const { id } = jobOf(await asked(client, `${base}/jobs`, ask))
  await done(client, `${base}/jobs/${id}`, 3_000 * scale, 40)
  await asked(client, `${base}/jobs/${id}/download`)
}

/** Tries five times. */
async function transcribed(number: number, base: string, client: HttpClient, scale: number): Promise<void> {
  for (const waitMs of AGAIN_MS) {
    const failed = await transcribe(number, base, client, scale).then(() => undefined, nameOf)
    if (failed === undefined) return
    await pause(waitMs * scale)
  }
  await transcribe(number, base, client, scale)
}

async function transcribe(number: number, base: string, client: HttpClient, scale: number): Promise<void> {
  const audio = Buffer.alloc(AUDIO_BYTES, createHash('sha256').update(String(number)).digest())
  const job = await uploaded(audio, base, client, scale)
  if (job.sha256 !== createHash('sha256').update(audio).digest('hex')) throw new Error('the upload arrived changed')
  for (let i = 0; i < 10; i += 1) {
    if (await hasText(`${base}/jobs/${job.id}`, client)) return
    await pause(3_000 * scale)
  }
  throw new Error('polls used up')
}

/** Tries four times, for passing troubles. */
async function uploaded(audio: Buffer, base: string, client: HttpClient, scale: number): Promise<Job> {
  const ask = multipart(audio)
  for (const waitMs of UPLOAD_WAITS_MS) {
    const answer = await client.ask(`${base}/jobs`, ask).catch(nameOf)
    if (typeof answer !== 'string' && !PASSING.has(answer.status)) return jobOf(await checked(answer))
    await pause(waitMs * scale)
  }
  return jobOf(await asked(client, `${base}/jobs`, ask))
}

async function checked(answer: Answer): Promise<Answer> {
  if (answer.status >= 400) throw new Error(`HTTP ${answer.status}`)
  return answer
}

/** A failed poll only counts as a poll. */
async function hasText(url: string, client: HttpClient): Promise<boolean> {
  try {
    if (jobOf(await asked(client, url)).status !== 'completed') return false
    await asked(client, `${url}/transcription`)
    return true
  } catch {
    return false // as the real client: it only counts its polls
  }
}

function multipart(audio: Buffer): Ask {
  const boundary = 'b7e0f3'
  const part = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`
  const body = Buffer.concat([
    Buffer.from(`${part('name="language_in"')}pt\r\n${part('name="file"; filename="audio.ogg"')}`),
    audio,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  return { method: 'POST', headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body }
}

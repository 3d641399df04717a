/** One run of the demo: new services with the same script of faults, and videos through the sidecar or directly. */

import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { startApp } from '../app.ts'
import { systemClock } from '../clock.ts'
import { formatFaults } from '../config/file/faults.ts'
import { loadConfig } from '../config/load.ts'
import { systemResolve } from '../net/dns-cache.ts'
import { atFullScale } from './full-scale.ts'
import { createHttpClient } from './http-client.ts'
import type { ServiceOptions } from './job-service.ts'
import { incidentsOf, type ToldIncident } from './incidents.ts'
import { makeVideo, type Outcome, type Urls } from './make-video.ts'
import { measureLateness } from './pace.ts'
import { scaled } from './scaled.ts'
import { type Supervised, supervise } from './supervised.ts'
import { videoRecord } from './video-record.ts'

const VIDEOS = 40
/** Time between the starts of two videos: work arrives whether or not the services are well. */
const EVERY_MS = 11_000
/** Time for which a service is down when it restarts: a uvicorn with its models takes about that. */
const RESTART_MS = 3_000
const FILE_BYTES = 20 * 1024 * 1024

const outage = (fromS: number, lastsS: number, scale: number) => ({
  fromMs: fromS * 1000 * scale,
  toMs: (fromS + lastsS) * 1000 * scale,
})

type Script = Readonly<Record<keyof Urls, Omit<ServiceOptions, 'port' | 'fileBytes'>>>

/** Faults of the real services, in the demo's time. Both runs meet the same ones. */
const scriptAt = (scale: number): Script => ({
  /** Restarts itself, and is at its connection limit now and then. */
  search: {
    kind: 'search',
    pollsToFinish: 4,
    blockMs: 0,
    faults: { restartEvery: 60, burst: { every: 45, length: 2 } },
  },
  /** Blocks for 3 s on each POST, allows 100 calls per minute and address, and drops a connection now and then. */
  downloader: {
    kind: 'downloader',
    pollsToFinish: 3,
    blockMs: 3_000 * scale,
    faults: { rateLimit: { calls: 100, perMs: 60_000 * scale }, resetEvery: 37, restartEvery: 150 },
  },
  /**
   * Out of workers for a quarter of a minute, which retries bridge, and for two minutes, which only a patient client survives.
   */
  transcriber: {
    kind: 'transcriber',
    pollsToFinish: 3,
    blockMs: 0,
    faults: { limitConcurrency: 20, outages: [outage(60, 15, scale), outage(200, 120, scale)] },
  },
})

export type Result = {
  readonly videos: number
  readonly finished: number
  /** Number of failed videos by stage and error. */
  readonly errors: ReadonlyMap<string, number>
  readonly calls: Readonly<Record<keyof Urls, number>>
  readonly struggling: number
  readonly restarts: number
  readonly breakerOpened: number
  readonly seconds: number
  /** What the sidecar saw, first sign first; empty without it. */
  readonly incidents: readonly ToldIncident[]
  /** How late the timers of this process were, in seconds of the services: the 99th percentile. */
  readonly lateS: number
}

/** Configuration and log of the demo's sidecar. */
export type Setting = {
  /** Text of a configuration file, and its name. */
  readonly text: string
  readonly file: string
  /** Called with each line, at full scale. */
  readonly logTo: (line: string) => void
  /** Called with the address of the page once it is served. */
  readonly pageAt: (url: string) => void
}

/** Result of a run. Its services, and the sidecar's page, run until it is closed. */
type Told = { readonly result: Result; readonly close: () => Promise<void> }

/**
 * @param setting undefined for a run without the sidecar.
 * @param scale length of a second of the services, in seconds.
 * @param progress called after each video with the numbers of videos that ended and that were finished.
 */
export async function tell(
  setting: Setting | undefined,
  progress: (done: number, finished: number, of: number) => void,
  ended: AbortSignal,
  scale: number,
): Promise<Told> {
  const script = scriptAt(scale)
  const restartMs = RESTART_MS * scale
  const search = await supervise({ ...script.search, port: 0, fileBytes: 0 }, restartMs)
  const downloader = await supervise({ ...script.downloader, port: 0, fileBytes: FILE_BYTES }, restartMs)
  const transcriber = await supervise({ ...script.transcriber, port: 0, fileBytes: 0 }, restartMs)
  const services = { search, downloader, transcriber }
  const direct: Urls = { search: search.url, downloader: downloader.url, transcriber: transcriber.url }
  const sidecar = setting && (await startSidecar(direct, setting, scale))
  if (sidecar !== undefined) setting?.pageAt(`${sidecar.control}/`)
  const client = createHttpClient(scale)
  const incidents = sidecar && incidentsOf(`${sidecar.control}/`, Date.now(), scale)
  const close = async () => {
    client.close()
    await sidecar?.close()
    await Promise.all(Object.values(services).map(({ stop }) => stop()))
  }
  const make = async (number: number) => {
    const record = await videoRecord(sidecar?.control, number)
    const outcome = await makeVideo(number, sidecar?.urls ?? direct, client, record.itemDone, scale)
    if (outcome.finished) await record.end()
    return outcome
  }
  try {
    const startedAt = performance.now()
    const lateMs = measureLateness()
    const outcomes = await makeVideos(make, progress, ended, EVERY_MS * scale)
    const lateS = lateMs() / 1000 / scale
    const seconds = (performance.now() - startedAt) / 1000
    const breakerOpened = sidecar?.breakerOpened() ?? 0
    const seen = { breakerOpened, incidents: (await incidents?.()) ?? [] }
    return { result: { ...summary(outcomes), ...countsOf(services), ...seen, seconds, lateS }, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function makeVideos(
  make: (number: number) => Promise<Outcome>,
  progress: (done: number, finished: number, of: number) => void,
  ended: AbortSignal,
  everyMs: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const underWay: Promise<void>[] = []
  for (let number = 1; number <= VIDEOS && !ended.aborted; number += 1) {
    const one = make(number).then((outcome) => {
      outcomes.push(outcome)
      progress(outcomes.length, outcomes.filter(({ finished }) => finished).length, VIDEOS)
    })
    underWay.push(one)
    await pause(everyMs)
  }
  await Promise.all(underWay)
  return outcomes
}

function summary(outcomes: readonly Outcome[]) {
  const errors = new Map<string, number>()
  for (const outcome of outcomes) {
    if (outcome.finished) continue
    const kind = `${outcome.stage}: ${outcome.error}`
    errors.set(kind, (errors.get(kind) ?? 0) + 1)
  }
  return { videos: outcomes.length, finished: outcomes.filter(({ finished }) => finished).length, errors }
}

function countsOf(services: Readonly<Record<keyof Urls, Supervised>>) {
  const counts = Object.values(services).map((service) => service.counts())
  return {
    calls: {
      search: services.search.counts().calls,
      downloader: services.downloader.counts().calls,
      transcriber: services.transcriber.counts().calls,
    },
    struggling: counts.reduce((sum, { struggling }) => sum + struggling, 0),
    restarts: counts.reduce((sum, { restarts }) => sum + restarts, 0),
  }
}

/** Starts the sidecar with scaled times on free ports. */
async function startSidecar(urls: Urls, { text, file, logTo: tellLine }: Setting, scale: number) {
  const env = {
    YOUTUBE_SEARCH_URL: urls.search,
    VIDEO_DOWNLOADER_URL: urls.downloader,
    AUDIO_TRANSCRIBER_URL: urls.transcriber,
  }
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const anywhere = { host: '127.0.0.1', port: 0 }
  const { checkpoints } = loaded.config
  const config = {
    ...scaled(loaded.config, scale),
    listen: anywhere,
    control: { listen: anywhere, token: '', metricsListen: undefined },
    checkpoints: { ...checkpoints, store: { kind: 'memory' } as const },
  }
  const upstreams = config.upstreams.map((upstream) => ({ ...upstream, listen: anywhere }))
  let opened = 0
  const startedAt = Date.now()
  const logTo = {
    write: (line: string) => {
      tellLine(atFullScale(line, startedAt, scale))
      if (line.includes('"msg":"breaker open"')) opened += 1
    },
  }
  const outside = {
    clock: systemClock,
    random: Math.random,
    newId: randomUUID,
    version: 'demo',
    resolve: systemResolve,
    logTo,
  }
  const app = await startApp({ config: { ...config, upstreams }, origins: loaded.origins, warnings: [] }, outside)
  const at = (name: string) => `http://127.0.0.1:${app.addresses().upstreams.get(name)?.port}`
  return {
    urls: { search: at('youtube-search'), downloader: at('video-downloader'), transcriber: at('audio-transcriber') },
    control: `http://127.0.0.1:${app.addresses().control.port}`,
    breakerOpened: () => opened,
    close: app.close,
  }
}

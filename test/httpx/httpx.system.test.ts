import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startApp } from '../../src/app.ts'
import { systemClock } from '../../src/clock.ts'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Faults } from '../../src/demo/job-service.ts'
import { supervise } from '../../src/demo/supervised.ts'
import { hasHttpx, PYTHON } from '../support/python.ts'
import { systemResolve } from '../../src/net/dns-cache.ts'
import { needs } from '../support/needs.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const UPLOAD_BYTES = 60 * 1024 * 1024
const run = promisify(execFile)

type Told = { readonly call: string; readonly status: number; readonly sha256?: string }

/** Starts the three services as separate processes. */
async function services(t: Scope, faults: Faults) {
  const common = { port: 0, pollsToFinish: 3, blockMs: 5, fileBytes: 3 * 1024 * 1024, faults }
  const all = await Promise.all(
    (['search', 'downloader', 'transcriber'] as const).map((kind) => supervise({ kind, ...common }, 1)),
  )
  t.onTestFinished(() => Promise.all(all.map(({ stop }) => stop())))
  return all
}

async function tellsOf(urls: readonly string[], rounds: number): Promise<Told[]> {
  const script = join(import.meta.dirname, 'make_video.py')
  const args = [script, ...urls, String(rounds), String(UPLOAD_BYTES)]
  const { stdout } = await run(PYTHON, args, { maxBuffer: 64 * 1024 * 1024 })
  return JSON.parse(stdout)
}

/** The sidecar with the shipped proxy.yaml, on free ports. */
async function sidecar(t: Scope, urls: readonly string[]) {
  const text = readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8')
  const [YOUTUBE_SEARCH_URL, VIDEO_DOWNLOADER_URL, AUDIO_TRANSCRIBER_URL] = urls
  const loaded = loadConfig(text, 'proxy.yaml', { YOUTUBE_SEARCH_URL, VIDEO_DOWNLOADER_URL, AUDIO_TRANSCRIBER_URL })
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const anywhere = { host: '127.0.0.1', port: 0 }
  const config = {
    ...loaded.config,
    listen: anywhere,
    control: { listen: anywhere, token: '', metricsListen: undefined },
    checkpoints: { ...loaded.config.checkpoints, store: { kind: 'memory' } as const },
    upstreams: loaded.config.upstreams.map((upstream) => ({
      ...upstream,
      listen: anywhere,
      rate: false as const,
      // No hold: a held poll has fewer intermediate answers than direct polls, so the two would differ.
      routes: upstream.routes.map((route) => ({ ...route, hold: false as const })),
    })),
  }
  const logTo = { write: () => {} }
  const app = await startApp(
    { config, origins: loaded.origins, warnings: [] },
    {
      clock: systemClock,
      random: Math.random,
      newId: randomUUID,
      version: 'test',
      resolve: systemResolve,
      logTo,
    },
  )
  t.onTestFinished(() => app.close())
  const own = config.upstreams.map(({ name }) => app.addresses().upstreams.get(name)?.port)
  return {
    own: own.map((port) => `http://127.0.0.1:${port}`),
    shared: config.upstreams.map(({ name }) => `http://127.0.0.1:${app.addresses().shared?.port}/${name}`),
  }
}

needs('python3-httpx', hasHttpx)

test.runIf(hasHttpx)(
  'every call of make-video, made by httpx, is answered as without the sidecar, byte for byte',
  async (t) => {
    const rounds = 2
    const direct = await tellsOf(
      (await services(t, {})).map(({ url }) => url),
      rounds,
    )
    expect(direct.length).toBeGreaterThan(40)
    const ownUrls = await sidecar(
      t,
      (await services(t, {})).map(({ url }) => url),
    )
    expect(await tellsOf(ownUrls.own, rounds)).toEqual(direct)
    const sharedUrls = await sidecar(
      t,
      (await services(t, {})).map(({ url }) => url),
    )
    expect(await tellsOf(sharedUrls.shared, rounds)).toEqual(direct)
  },
  120_000,
)

test.runIf(hasHttpx)(
  'make-video over httpx gets the same answers while each service restarts every 50 requests',
  async (t) => {
    const rounds = 12
    const direct = await tellsOf(
      (await services(t, {})).map(({ url }) => url),
      rounds,
    )
    const restarting = await services(t, { restartEvery: 50 })
    const { own } = await sidecar(
      t,
      restarting.map(({ url }) => url),
    )
    expect(await tellsOf(own, rounds)).toEqual(direct)
    expect(restarting.reduce((sum, { counts }) => sum + counts().restarts, 0)).toBeGreaterThanOrEqual(3)
  },
  120_000,
)

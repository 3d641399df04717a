import { startApp } from '../../src/app.ts'
import type { App } from '../../src/lifecycle.ts'
import type { Clock } from '../../src/clock.ts'
import { formatFaults } from '../../src/config/file/faults.ts'
import { type Loaded, loadConfig } from '../../src/config/load.ts'
import { warningsOf } from '../../src/config/warnings.ts'
import { type Resolve, systemResolve } from '../../src/net/dns-cache.ts'
import { versionOf } from '../../src/config/version.ts'
import type { ConfigSource } from '../../src/reload/source.ts'
import { type Answer, ask } from './client.ts'
import { type Labels, metric, type SampledMetric } from './metric.ts'
import type { Scope } from './scripted-upstream.ts'

type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string }

export type Sidecar = {
  readonly app: App
  /** URL of the shared listener; '' when there is none. */
  readonly url: string
  /** URL of an upstream's own listener. Throws when it has none. */
  own(upstream: string): string
  readonly controlUrl: string
  /** Every line logged so far. */
  readonly log: readonly LogLine[]
  /** Resolves with the first log line that matches, past or future. */
  logged(matches: (line: LogLine) => boolean): Promise<LogLine>
  /** Changes the text of the configuration, so that the next reload reads it. */
  rewrite(options: Partial<ProxyOptions>): void
  /** Changes the text as `rewrite` does, then reloads it by the control API. */
  reload(options: Partial<ProxyOptions>): Promise<Answer>
  /** Present samples of all metrics, by name with labels as `metric` writes it. */
  metrics(): Promise<ReadonlyMap<string, number>>
  /** Present sample of one series; undefined while there is no such series. */
  sample<M extends SampledMetric>(key: M, ...labels: Labels<M>): Promise<number | undefined>
}

export type ProxyOptions = {
  readonly clock: Clock
  /** Upstreams by name, in the shape of the configuration file. */
  readonly upstreams: Readonly<Record<string, object>>
  readonly defaults?: object
  /** Further top-level keys of the configuration file. */
  readonly top?: object
  /** Uniform in [0, 1); always 0.5 when not given, which means no jitter. */
  readonly random?: () => number
  readonly newId?: () => string
  /** Resolves the names of upstreams; the system's resolver when not given. */
  readonly resolve?: Resolve
  /** Called with each log line before it is stored; may throw. */
  readonly onLine?: (line: LogLine) => void
}

/** Starts the whole sidecar on free ports, from the text of a configuration file. */
export async function startProxy(t: Scope, options: ProxyOptions): Promise<Sidecar> {
  let now = options
  const loaded = loadConfig(textOf(now), FILE, {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const source: ConfigSource = {
    file: FILE,
    text: textOf(now),
    version: versionOf(textOf(now)),
    read: async () => {
      const text = textOf(now)
      const reading = loadConfig(text, FILE, {})
      const given = reading.ok ? { ...reading, warnings: warningsOf(reading.config, reading.origins) } : reading
      return { version: versionOf(text), text, load: async () => given }
    },
    watch: () => ({ close: () => {} }),
  }
  const rewrite = (changed: Partial<ProxyOptions>) => {
    now = { ...now, ...changed }
  }
  return startLoaded(t, loaded, options, source, rewrite)
}

type Surroundings = Pick<ProxyOptions, 'clock' | 'random' | 'newId' | 'resolve' | 'onLine'>

/** Starts the sidecar of a configuration that has been read. */
export async function startLoaded(
  t: Scope,
  loaded: Loaded & { readonly ok: true },
  options: Surroundings,
  source?: ConfigSource,
  rewrite: (changed: Partial<ProxyOptions>) => void = () => {},
): Promise<Sidecar> {
  const log: LogLine[] = []
  const watchers = new Set<() => void>()
  const logTo = {
    write: (text: string) => {
      for (const line of text.split('\n')) {
        if (line === '') continue
        const parsed: LogLine = JSON.parse(line)
        options.onLine?.(parsed)
        log.push(parsed)
      }
      for (const watch of watchers) watch()
    },
  }
  let ids = 0
  const countedId = () => {
    ids += 1
    return `00000000-0000-4000-8000-${String(ids).padStart(12, '0')}`
  }
  const { clock, random = () => 0.5, newId = countedId, resolve = systemResolve } = options
  const app = await startApp(
    { ...loaded, warnings: [] },
    { clock, random, newId, version: 'test', resolve, logTo },
    source,
  )
  t.onTestFinished(() => app.close())
  const urlOf = ({ host, port }: { host: string; port: number }) => `http://${host}:${port}`
  const { shared, control } = app.addresses()
  const controlUrl = urlOf(control)
  const metrics = async () => samplesOf(await (await fetch(`${controlUrl}/metrics`)).text())
  return {
    app,
    url: shared === undefined ? '' : urlOf(shared),
    rewrite,
    reload: (changed) => {
      rewrite(changed)
      return ask(`${controlUrl}/v1/config/reload`, { method: 'POST' })
    },
    own: (upstream) => {
      const address = app.addresses().upstreams.get(upstream)
      if (address === undefined) throw new Error(`${upstream} has no listener of its own`)
      return urlOf(address)
    },
    controlUrl,
    log,
    logged: (matches) =>
      new Promise((resolve) => {
        const look = () => {
          const line = log.find(matches)
          if (line === undefined) return
          watchers.delete(look)
          resolve(line)
        }
        watchers.add(look)
        look()
      }),
    metrics,
    sample: async (key, ...labels) => (await metrics()).get(metric(key, ...labels)),
  }
}

const FILE = 'test.yaml'

const textOf = ({ defaults = {}, top, upstreams }: ProxyOptions) =>
  JSON.stringify(
    {
      version: 1,
      service: 'test',
      listen: '127.0.0.1:0',
      control: { listen: '127.0.0.1:0' },
      checkpoints: { store: 'memory:' },
      log: { level: 'trace', access: true },
      defaults,
      ...top,
      upstreams,
    },
    undefined,
    2,
  )

function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const space = line.lastIndexOf(' ')
    samples.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return samples
}

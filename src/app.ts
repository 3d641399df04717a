import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { DestinationStream } from 'pino'
import type { Clock } from './clock.ts'
import type { Config } from './config/schema.ts'
import { configOperations } from './control/api/operations/config.ts'
import { createLog } from './control/log/log.ts'
import { createMetrics } from './control/metrics/metrics.ts'
import { explainOperation } from './control/api/operations/explain.ts'
import { describing } from './control/api/openapi.ts'
import { observationOperations, probeOperations } from './control/api/operations/observation.ts'
import { pageOperations } from './control/api/operations/page.ts'
import { type ControlTerms, startControl } from './control/api/server.ts'
import type { Tracing } from './control/trace/tracing.ts'
import { type Check, HealthReport } from './control/health/report.ts'
import { currentFor, handOver } from './runtime/generation.ts'
import { type Emit, emitTo, type ReloadReport, type ReloadTrigger } from './events.ts'
import { healthChecks, type RedisClients, type UpstreamLooks } from './control/health/checks.ts'
import { checkpointOperations } from './control/api/operations/checkpoint.ts'
import { jobOperations } from './control/api/operations/job.ts'
import { progressOperation } from './control/api/operations/progress.ts'
import { observed, type StoreWatcher } from './checkpoint/observed.ts'
import { Overview } from './control/live/overview.ts'
import { upstreamOperations } from './control/api/operations/upstream.ts'
import type { StoredCheckpoint } from './checkpoint/record.ts'
import { openStore } from './checkpoint/open.ts'
import type { StoreNews } from './checkpoint/store.ts'
import { restoreJobs } from './checkpoint/restore.ts'
import { JobBook } from './job/book.ts'
import { type Address, written } from './net/listen.ts'
import { isLoopback } from './net/loopback.ts'
import { doorsOf, Listeners, ownKey, SHARED } from './runtime/listeners.ts'
import type { Deps } from './deps.ts'
import type { Resolve } from './net/dns-cache.ts'
import { connectionsWithin, descriptorLimit, openDescriptors } from './proxy/listener/descriptors.ts'
import type { KeptBytes } from './proxy/body/kept-bytes.ts'
import { connectTo, type TransportSettings } from './proxy/upstream/transport.ts'
import { Reloads } from './reload/reloads.ts'
import { type ConfigSource, UNFILED } from './reload/source.ts'
import type { Given } from './reload/config-thread.ts'

/** What the process, or a test, gives the sidecar from outside. */
export type Outside = {
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  readonly version: string
  /** How upstreams' names become addresses. */
  readonly resolve: Resolve
  /** Where log lines go; undefined for stdout. */
  readonly logTo: DestinationStream | undefined
}

export type App = {
  /** As of now: a reload may move them. */
  readonly addresses: {
    readonly shared: Address | undefined
    readonly control: Address
    /** By upstream, those that have a listener of their own. */
    readonly upstreams: ReadonlyMap<string, Address>
  }
  /** Reads the configuration again and puts it in force, whole or not at all. Never rejects. */
  readonly reload: (trigger: ReloadTrigger) => Promise<ReloadReport | undefined>
  /** Logs and counts an error that reached the process. */
  readonly tell: (error: unknown) => void
  /**
   * Stops in order: not ready at once, no new connections after `drainDelayMs`, every request under way to its end
   * or, after `shutdown`, cut, then all closed.
   */
  readonly drain: () => Promise<void>
  /** Closes everything now; requests under way are cut. */
  readonly close: () => Promise<void>
}

/** Time for whoever watches `/readyz` to look away before connections are refused, in ms. */
const DRAIN_DELAY_MS = 1_000

/** Time for the last answers of those that are cut to go out, in ms. */
const CUT_MS = 1_000

/**
 * Joins the rooms and starts serving.
 * @param source where the configuration came from, and comes from again.
 * @throws Error naming the configuration's key when it cannot listen somewhere or read a file; nothing is left running.
 */
export async function startApp(given: Given, outside: Outside, source: ConfigSource = UNFILED): Promise<App> {
  const { config } = given
  const { clock, random, newId, version } = outside
  const emit = emitTo([
    (event) => metrics.record(event),
    (event) => log.record(event),
    (event) => overview.record(event),
    (event) => current.earlyProbes.record(event),
    (event) => tracing?.record(event),
  ])
  const log = createLog({ ...config.log, service: config.service }, clock, outside.logTo)
  let tracing: Tracing | undefined
  const deps: Deps = { clock, random, newId, emit }
  const book = new JobBook(config.checkpoints.ttl, clock)
  const connect = (settings: TransportSettings) => connectTo(settings, outside.resolve, deps)
  const around = { book, connect, readText: (path: string) => readFileSync(path, 'utf8'), deps }
  let current = currentFor(config, undefined, around)
  const phase = { listening: false, draining: false }
  const isDraining = () => phase.draining
  const keptBytes: KeptBytes = { memory: 0, disk: 0, limits: () => current.bodies }
  const descriptors = descriptorLimit()
  const mostConnections = connectionsWithin(descriptors, openDescriptors())
  const fullBy = (open: number) => {
    if (open >= current.maxConnections) return 'maxConnections'
    return listeners.allConnections() >= mostConnections ? 'descriptors' : undefined
  }
  const listeners = new Listeners(
    {
      ...deps,
      spillFolder: tmpdir(),
      keptBytes,
      isDraining,
      fullBy,
      jobs: () => current.jobs,
      sample: sampleOf(config),
    },
    emit,
  )
  const metrics = createMetrics({ service: config.service, version }, () => ({
    ...current.runtime.snapshot(),
    bodies: keptBytes,
    listeners: listeners.connections(),
  }))
  const overview = new Overview({
    upstreams: () => current.runtime.snapshot().upstreams,
    setMode: (upstream, meant, mode) => current.runtime.setMode(upstream, meant, mode),
    clock,
  })
  const unwatch = clock.watch({
    stalled: (ms) => emit({ kind: 'stalled', ms }),
    fault: (error) => emit({ kind: 'fault', error, where: 'timer' }),
  })
  let clients: RedisClients = new Map()
  const open: { close(): Promise<void> }[] = [
    { close: () => current.runtime.close() },
    { close: async () => closeThose(clients, new Map()) },
    listeners,
  ]
  const close = async () => {
    phase.draining = true
    current.earlyProbes.close()
    await Promise.all(open.splice(0).map((room) => room.close()))
    unwatch()
    tracing?.close()
    log.flush()
  }
  warn(given, emit)
  if (descriptors !== undefined && mostConnections < config.maxConnections)
    emit({ kind: 'few_descriptors', descriptors, connections: mostConnections })
  try {
    tracing = await tracingOf(config, { version, instance: newId() }, deps)
    const watcher = { ...storeWatcher(emit), saved: (record: StoredCheckpoint) => overview.saved(record) }
    const store = observed(await openConfigured(config.checkpoints, clock, storeNews(emit)), clock, watcher)
    open.push(store)
    open.push(await restoreJobs(store, book, clock, (error) => emit({ kind: 'fault', error, where: 'jobs' })))
    const steadyDoors = (wanted: Config) => doorsOf(wanted, () => current.runtime.upstreams)
    const opening = await listeners.prepare(steadyDoors(config))
    opening.turn(steadyDoors(config))
    const page = pageOperations()
    const observedNow = { metrics, phase: () => conditions(phase) }
    const checksOf = (wanted: Config, { all }: UpstreamLooks) =>
      healthChecks(wanted, store, all, clients, { clock, newId })
    const termsOf = ({ config: wanted, origins }: Given, checks: readonly Check[]): ControlTerms => {
      const health = new HealthReport(checks, { service: wanted.service, version }, clock)
      const operations = [
        ...observationOperations({ ...observedNow, health }),
        ...checkpointOperations(store, wanted.checkpoints, clock),
        progressOperation(store),
        explainOperation(() => ({ config: wanted, origins })),
        ...jobOperations(store, book, { inputs: wanted.job.inputs, timeouts: wanted.timeouts }, clock),
        ...configOperations(reloads),
        ...upstreamOperations(overview),
      ]
      const all = [...operations, describing(operations, version), ...page]
      return { token: wanted.control.token, maxBodyBytes: wanted.checkpoints.maxBody, operations: all }
    }

    const apply = async (wanted: Given): Promise<void> => {
      const next = wanted.config
      assertControlExposure(next.control)
      const successor = currentFor(next, current, around)
      const checks = await checksOf(next, successor.looks)
      const terms = termsOf(wanted, checks.list)
      const change = await listeners
        .prepare(doorsOf(next, () => successor.runtime.upstreams))
        .catch((error: unknown) => {
          closeThose(checks.clients, clients)
          throw error
        })
      if (phase.draining) {
        closeThose(checks.clients, clients)
        await change.undo()
        throw new Error('the sidecar is draining')
      }
      // From here on nothing waits and nothing can fail.
      const before = current
      current = successor
      handOver(before, successor, deps)
      change.turn(steadyDoors(next))
      log.set(next.log)
      control.serve(terms)
      closeThose(clients, checks.clients)
      clients = checks.clients
      warn(wanted, emit)
    }
    const reloads = new Reloads(source, config, apply, deps)
    const checks = await checksOf(config, current.looks)
    clients = checks.clients
    const control = await startControl({
      key: 'control.listen',
      ...config.control.listen,
      ...termsOf(given, checks.list),
      emit,
    })
    open.push(control)
    emit({ kind: 'listening', name: 'control.listen', address: written(control.address) })
    if (config.control.metricsListen !== undefined) {
      const watched = await startControl({
        key: 'control.metricsListen',
        ...config.control.metricsListen,
        token: '',
        maxBodyBytes: 0,
        operations: probeOperations(observedNow),
        emit,
      })
      open.push(watched)
      emit({ kind: 'listening', name: 'control.metricsListen', address: written(watched.address) })
    }
    phase.listening = true
    const watch = source.watch(
      () => void reloads.request('file'),
      (error) => emit({ kind: 'fault', error, where: 'watch' }),
    )
    open.push({ close: async () => watch.close() })
    /** Resolves when no request is under way, or after so long. */
    const finished = async (ms: number) => {
      const late = Promise.withResolvers<void>()
      const timer = clock.after(ms, late.resolve)
      await Promise.race([listeners.finish(), late.promise])
      clock.cancel(timer)
    }
    const drain = async () => {
      phase.draining = true
      watch.close()
      emit({ kind: 'draining', inFlight: listeners.inFlight() })
      await new Promise<void>((resolve) => clock.after(DRAIN_DELAY_MS, resolve))
      await finished(current.shutdownMs)
      emit({ kind: 'drained', cut: listeners.inFlight() })
      listeners.cut()
      await finished(CUT_MS)
      await tracing?.finish()
      await close()
    }
    const addresses = {
      get shared() {
        return listeners.addressOf(SHARED)
      },
      control: control.address,
      get upstreams() {
        return new Map(
          [...current.runtime.upstreams.keys()].flatMap((name) => {
            const address = listeners.addressOf(ownKey(name))
            return address === undefined ? [] : [[name, address] as const]
          }),
        )
      },
    }
    const tell = (error: unknown) => emit({ kind: 'fault', error, where: 'process' })
    return { addresses, reload: (trigger) => reloads.request(trigger), tell, drain, close }
  } catch (error) {
    await close()
    throw error
  }
}

function warn({ warnings }: Given, emit: Emit): void {
  for (const { rule, file, line, column, path, reason, fix } of warnings)
    emit({ kind: 'config_warning', rule, place: `${file}:${line}:${column}`, setting: path, reason, fix })
}

/** The file asks for a token where it listens; so must the address that needs a restart to change. */
function assertControlExposure({ listen, token }: Config['control']): void {
  if (token === '' && !isLoopback(listen.host))
    throw new Error(`control.token is needed until control.listen is no longer ${written(listen)}: after a restart`)
}

/** Those that are in `all` and no longer in `kept`. */
function closeThose(all: RedisClients, kept: RedisClients): void {
  for (const [key, client] of all) if (!kept.has(key)) client.close()
}

/** undefined while nothing is traced. */
const sampleOf = ({ tracing }: Config) => (tracing.endpoint === '' ? undefined : tracing.sample)

/** Its code is read only where it is used. */
async function tracingOf(config: Config, about: { version: string; instance: string }, deps: Deps) {
  if (config.tracing.endpoint === '') return undefined
  const { startTracing } = await import('./control/trace/tracing.ts')
  return startTracing(config, about, deps)
}

function openConfigured(
  { store, ttl, maxItems, tls }: Config['checkpoints'],
  clock: Clock,
  tell: (news: StoreNews) => void,
) {
  const ca = tls.ca === '' ? '' : readFileSync(tls.ca, 'utf8')
  return openStore(store, { ttlMs: ttl, maxItems }, { ca, servername: tls.servername }, clock, tell)
}

const storeNews = (emit: Emit) => (news: StoreNews) => {
  if (news.kind === 'set_aside') emit({ ...news, kind: 'store_set_aside' })
  else if (news.kind === 'fault') emit({ ...news, where: 'store' })
  else emit(news)
}

const storeWatcher = (emit: Emit): Omit<StoreWatcher, 'saved'> => ({
  called: (operation, isDown, durationMs) => emit({ kind: 'store_call', operation, isDown, durationMs }),
  turned: (isUp, error) => emit({ kind: 'store', isUp, error }),
  fault: (error) => emit({ kind: 'fault', error, where: 'observer' }),
})

const conditions = ({ listening, draining }: { readonly listening: boolean; readonly draining: boolean }) => ({
  started: { listening },
  ready: { listening, 'accepting requests': !draining },
})

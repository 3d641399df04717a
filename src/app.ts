import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { DestinationStream } from 'pino'
import type { Clock } from './clock.ts'
import type { Config } from './config/schema.ts'
import type { ConfigWarning } from './config/warnings.ts'
import { createLog } from './control/log.ts'
import { createMetrics } from './control/metrics.ts'
import { explainOperation, type InForce } from './control/explain-operation.ts'
import { describing } from './control/openapi.ts'
import { observationOperations, probeOperations } from './control/observation-operations.ts'
import { startControl } from './control/server.ts'
import { EarlyProbes } from './control/health/early-probes.ts'
import { healthChecks, upstreamHealth } from './health.ts'
import { HealthReport } from './control/health/report.ts'
import { checkpointOperations } from './control/checkpoint-operations.ts'
import { jobOperations } from './control/job-operations.ts'
import { observed, type StoreWatcher } from './checkpoint/observed.ts'
import { openStore } from './checkpoint/open.ts'
import { restoreJobs } from './checkpoint/restore.ts'
import { JobBook } from './job/book.ts'
import { type Address, written } from './listen.ts'
import type { Emit } from './policy/events.ts'
import type { Deps } from './policy/exchange.ts'
import { byListener, byPrefix, type Door, type Listener, listen } from './proxy/listener.ts'
import type { Resolve } from './proxy/names.ts'
import { connectTo } from './proxy/transport.ts'
import { compile, type Runtime } from './runtime.ts'

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

/** A configuration, where it stands in its file, and what there is to say of it. */
export type Given = InForce & { readonly warnings: readonly ConfigWarning[] }

export type App = {
  readonly addresses: {
    readonly shared: Address | undefined
    readonly control: Address
    /** By upstream, those that have a listener of their own. */
    readonly upstreams: ReadonlyMap<string, Address>
  }
  /**
   * Stops in order: not ready at once, no new connections after `drainDelayMs`, every request under way to its end,
   * then all closed.
   */
  readonly drain: () => Promise<void>
  /** Closes everything now; requests under way are cut. */
  readonly close: () => Promise<void>
}

/** Time for whoever watches `/readyz` to look away before connections are refused, in ms. */
const DRAIN_DELAY_MS = 1_000

/**
 * Joins the rooms and starts serving.
 * @throws Error naming the configuration's key when it cannot listen somewhere or read a file; nothing is left running.
 */
export async function startApp({ config, origins, warnings }: Given, outside: Outside): Promise<App> {
  const { clock, random, newId, version } = outside
  const log = createLog({ ...config.log, service: config.service }, outside.clock, outside.logTo)
  const emit: Emit = (event) => {
    metrics.record(event)
    log.record(event)
    earlyProbes.record(event)
  }
  const deps: Deps = { clock, random, newId, emit }
  const readText = (path: string) => readFileSync(path, 'utf8')
  const runtime = compile(config, (settings) => connectTo(settings, outside.resolve, deps), readText, deps)
  const listeners = new Map<string, Listener>()
  const metrics = createMetrics({ service: config.service, version }, () => ({
    ...runtime.snapshot(),
    listeners: [...listeners].map(([name, { connections }]) => ({ name, connections: connections() })),
  }))
  const health = upstreamHealth(config, readText, clock)
  const earlyProbes = new EarlyProbes(health.watched, runtime.isOpen, runtime.allowProbes, clock)
  const phase = { listening: false, draining: false }
  const open: { close(): Promise<void> }[] = [runtime]
  const close = async () => {
    earlyProbes.close()
    await Promise.all(open.splice(0).map((room) => room.close()))
    log.flush()
  }
  const book = new JobBook(config.checkpoints.ttl, clock)
  const jobs = { ...config.job, book }
  const visitDeps = { ...deps, spillFolder: tmpdir(), isDraining: () => phase.draining, jobs }
  for (const { rule, file, line, column, path, reason, fix } of warnings) {
    emit({ kind: 'config_warning', rule, place: `${file}:${line}:${column}`, setting: path, reason, fix })
  }
  try {
    const store = observed(await openConfigured(config.checkpoints, clock), clock, storeWatcher(emit))
    open.push(store)
    open.push(await restoreJobs(store, book, clock, (error) => emit({ kind: 'fault', error, where: 'jobs' })))
    for (const door of doors(config, runtime)) {
      const listener = await listen(door, visitDeps)
      open.push(listener)
      listeners.set(door.key, listener)
      emit({ kind: 'listening', name: door.key, address: written(listener.address) })
    }
    const checks = await healthChecks(config, store, health.all, outside)
    open.push(checks)
    const report = new HealthReport(checks.list, { service: config.service, version }, clock)
    const observedNow = { metrics, phase: () => conditions(phase) }
    const operations = [
      ...observationOperations({ ...observedNow, health: report }),
      ...checkpointOperations(store, config.checkpoints, clock),
      explainOperation(() => ({ config, origins })),
      ...jobOperations(store, book, { inputs: config.job.inputs, timeouts: config.timeouts }, clock),
    ]
    const document = describing(operations, version)
    const control = await startControl({
      key: 'control.listen',
      ...config.control.listen,
      token: config.control.token,
      maxBodyBytes: config.checkpoints.maxBody,
      operations: [...operations, document],
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
    const drain = async () => {
      phase.draining = true
      emit({ kind: 'draining', inFlight: [...listeners.values()].reduce((sum, { inFlight }) => sum + inFlight(), 0) })
      await new Promise<void>((resolve) => clock.after(DRAIN_DELAY_MS, resolve))
      await Promise.all([...listeners.values()].map((listener) => listener.finish()))
      emit({ kind: 'drained' })
      await close()
    }
    return { addresses: addressesOf(config, listeners, control.address), drain, close }
  } catch (error) {
    await close()
    throw error
  }
}

function openConfigured({ store, ttl, maxItems, tls }: Config['checkpoints'], clock: Clock) {
  const ca = tls.ca === '' ? '' : readFileSync(tls.ca, 'utf8')
  return openStore(store, { ttlMs: ttl, maxItems }, { ca, servername: tls.servername }, clock)
}

const storeWatcher = (emit: Emit): StoreWatcher => ({
  called: (operation, isDown, durationMs) => emit({ kind: 'store_call', operation, isDown, durationMs }),
  turned: (isUp, error) => emit({ kind: 'store', isUp, error }),
})

const SHARED = 'listen'
const keyOf = (upstream: string) => `upstreams.${upstream}.listen`

function doors(config: Config, { upstreams }: Runtime): Door[] {
  const own = config.upstreams.flatMap(({ name, listen: address }) =>
    address === undefined ? [] : [{ key: keyOf(name), address, find: byListener(name, () => upstreams) }],
  )
  if (config.listen === undefined) return own
  return [{ key: SHARED, address: config.listen, find: byPrefix(() => upstreams) }, ...own]
}

const conditions = ({ listening, draining }: { readonly listening: boolean; readonly draining: boolean }) => ({
  started: { listening },
  ready: { listening, 'accepting requests': !draining },
})

function addressesOf(config: Config, listeners: ReadonlyMap<string, Listener>, control: Address): App['addresses'] {
  const own = config.upstreams.flatMap(({ name }) => {
    const listener = listeners.get(keyOf(name))
    return listener === undefined ? [] : [[name, listener.address] as const]
  })
  return { shared: listeners.get(SHARED)?.address, control, upstreams: new Map(own) }
}

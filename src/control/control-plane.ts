/** The control plane: store, control listeners with their operations, and health checks. */

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { openStore } from '../checkpoint/open.ts'
import { within } from '../clock.ts'
import { observed } from '../checkpoint/observed.ts'
import { JobSync } from '../checkpoint/job-sync.ts'
import type { CheckpointStore, StoreNews } from '../checkpoint/store.ts'
import type { Origins } from '../config/file/origins.ts'
import type { Config } from '../config/schema.ts'
import type { Deps } from '../deps.ts'
import type { Emit, Event } from '../events.ts'
import type { JobBook } from '../job/book.ts'
import { type Address, written } from '../net/listen.ts'
import { isLoopback } from '../net/loopback.ts'
import { readTls } from '../net/tls/files.ts'
import type { Prepared } from '../prepared.ts'
import { describing } from './api/openapi.ts'
import type { Operation } from './api/operation.ts'
import { checkpointOperations } from './api/operations/checkpoint.ts'
import { type ConfigInForce, configOperations } from './api/operations/config.ts'
import { explainOperation } from './api/operations/explain.ts'
import { historyOperation } from './api/operations/history.ts'
import { incidentOperations } from './api/operations/incidents.ts'
import { jobOperations } from './api/operations/job.ts'
import { type Observed, observationOperations, probeOperations } from './api/operations/observation.ts'
import { pageOperations } from './api/operations/page.ts'
import { progressOperation } from './api/operations/progress.ts'
import { fleetOperation } from './api/operations/fleet.ts'
import { requestOperations } from './api/operations/request.ts'
import { upstreamOperations } from './api/operations/upstream.ts'
import { type Control, type ControlTerms, startControl } from './api/server.ts'
import { healthChecks, type RedisClients, type UpstreamLooks } from './health/checks.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { watchDisk } from './health/disk-watch.ts'
import { HealthReport } from './health/report.ts'
import { JobLedger } from './jobs/ledger.ts'
import { JobSaving } from './jobs/saving.ts'
import type { Observers } from './observers.ts'
import { simulateOperation } from './simulation/operation.ts'
import { Simulations } from './simulation/simulations.ts'

/** Longest time in ms for which a start waits for jobs, incidents and history that the store kept. What comes later is taken over then. */
const RESTORE_MS = 500

type Located = { readonly config: Config; readonly origins: Origins }

/** Parts of the sidecar that the control plane uses. */
export type ControlGround = {
  readonly observers: Observers
  readonly book: JobBook
  readonly version: string
  /** What must hold for the sidecar to have started, and for it to take traffic. */
  readonly conditions: Observed['phase']
  /** undefined without a fleet. */
  readonly fleet: Fleet | undefined
  readonly deps: Deps
}

export class ControlPlane {
  readonly #ground: ControlGround
  readonly #store: CheckpointStore
  readonly #jobs: JobSync
  readonly #ledger: JobLedger
  readonly #saving: JobSaving
  readonly #page: readonly Operation[] = pageOperations()
  readonly #closing: { close(): Promise<void> }[] = []
  readonly #unwatchDisk: () => void
  readonly #simulations: Simulations
  #inForce: Config
  #redis: RedisClients = new Map()
  #control: Control | undefined

  private constructor(
    config: Config,
    ground: ControlGround,
    store: CheckpointStore,
    { jobs, ledger, saving }: { jobs: JobSync; ledger: JobLedger; saving: JobSaving },
  ) {
    this.#inForce = config
    this.#ground = ground
    this.#store = store
    this.#jobs = jobs
    this.#ledger = ledger
    this.#saving = saving
    const { clock, emit } = ground.deps
    this.#unwatchDisk = watchDisk(() => this.#inForce.health.disk, clock, emit)
    this.#simulations = new Simulations(clock)
    this.#closing.push(store, jobs, this.#simulations)
  }

  /** Opens the store and registers its jobs. A store that cannot be opened is opened in the background. */
  static async open(config: Config, ground: ControlGround): Promise<ControlPlane> {
    const { book, observers } = ground
    const { clock, emit, newId } = ground.deps
    const { store: place, ttl, maxItems, tls } = config.checkpoints
    // The host's name is the pod's; the port tells sidecars of one host apart.
    const instance = `${config.service}:${hostname()}:${config.control.listen.port}`
    const texts = readTls('checkpoints.tls', tls, readText)
    const opened = await openStore(place, { ttlMs: ttl, maxItems, instance }, texts, clock, (news) =>
      tellNews(news, emit),
    )
    const store = observed(opened, clock, newId, {
      called: (operation, isDown, durationMs) => emit({ kind: 'store_call', operation, isDown, durationMs }),
      turned: (isUp, error) => emit({ kind: 'store', isUp, error }),
      fault: (error) => emit({ kind: 'fault', error, where: 'observer' }),
      saved: (record) => observers.overview.saved(record),
    })
    const kept = [observers.overview.history.keepIn(store), observers.incidents.keepIn(store)]
    const fault = (error: unknown) => emit({ kind: 'fault', error, where: 'jobs' })
    const jobs = new JobSync(store, book, clock, fault)
    const saving = new JobSaving((record) => jobs.save(record), clock, fault)
    const ledger = new JobLedger(book, (record) => saving.save(record), clock, emit)
    const plane = new ControlPlane(config, ground, store, { jobs, ledger, saving })
    await within(clock, RESTORE_MS, Promise.all([...kept, jobs.start()]))
    return plane
  }

  /** Follows the jobs that requests create and ask for. */
  record(event: Event): void {
    this.#ledger.record(event)
  }

  /** @throws Error naming the configuration's key when it cannot listen somewhere. */
  async listen(located: Located, looks: UpstreamLooks, reloads: ConfigInForce): Promise<void> {
    const { emit } = this.#ground.deps
    const { control } = located.config
    const { terms, redis } = await this.#terms(located, looks, reloads)
    this.#redis = redis
    this.#control = await startControl({ key: 'control.listen', ...control.listen, ...terms, emit })
    this.#closing.push(this.#control)
    emit({ kind: 'listening', name: 'control.listen', address: written(this.#control.address) })
    if (control.metricsListen === undefined) return
    const probes = await startControl({
      key: 'control.metricsListen',
      ...control.metricsListen,
      token: '',
      maxBodyBytes: 0,
      operations: probeOperations(this.#observed),
      emit,
    })
    this.#closing.push(probes)
    emit({ kind: 'listening', name: 'control.metricsListen', address: written(probes.address) })
  }

  /** Call after `assertControlExposure`. @throws Error when a health check cannot be made. */
  async prepare(located: Located, looks: UpstreamLooks, reloads: ConfigInForce): Promise<Prepared> {
    const { terms, redis } = await this.#terms(located, looks, reloads)
    return {
      activate: () => {
        this.#inForce = located.config
        this.#ground.observers.log.set(located.config.log)
        this.#ground.observers.webhook.set(located.config.notify)
        this.#control?.serve(terms)
        closeOthers(this.#redis, redis)
        this.#redis = redis
      },
      abandon: async () => closeOthers(redis, this.#redis),
    }
  }

  /** @throws Error before `listen`. */
  address(): Address {
    if (this.#control === undefined) throw new Error('the control listener is not open yet')
    return this.#control.address
  }

  async close(): Promise<void> {
    closeOthers(this.#redis, new Map())
    this.#ledger.close()
    await this.#saving.close()
    this.#unwatchDisk()
    const { overview, incidents } = this.#ground.observers
    overview.close()
    await Promise.all([overview.history.close(), incidents.close()])
    await Promise.all(this.#closing.map((room) => room.close()))
  }

  get #observed(): Omit<Observed, 'health' | 'asked'> {
    return { metrics: this.#ground.observers.metrics, phase: this.#ground.conditions }
  }

  async #terms(
    { config, origins }: Located,
    looks: UpstreamLooks,
    reloads: ConfigInForce,
  ): Promise<{ readonly terms: ControlTerms; readonly redis: RedisClients }> {
    const { observers, book, version, fleet, deps } = this.#ground
    const store = this.#store
    const { list, clients } = await healthChecks(config, store, looks.all, this.#redis, readText, deps)
    const about = { service: config.service, version }
    const health = new HealthReport(list, about, deps.clock)
    const asked = new HealthReport(
      list.filter(({ isUnasked }) => !isUnasked),
      about,
      deps.clock,
    )
    const operations = [
      ...observationOperations({ ...this.#observed, health, asked }),
      ...checkpointOperations(store, config.checkpoints, deps.clock),
      progressOperation(store),
      explainOperation(() => ({ config, origins }), {
        upstreams: observers.overview.plane.upstreams,
        limits: observers.overview.plane.limits,
        isDraining: deps.isDraining,
        jobLeftMs: (id) => {
          const at = book.deadlineOf(id)
          return at === undefined ? undefined : at - deps.clock.now()
        },
      }),
      ...jobOperations(this.#jobs, book, { inputs: config.job.inputs, timeouts: config.timeouts }, deps.clock),
      ...configOperations(reloads),
      simulateOperation(reloads, this.#simulations),
      ...upstreamOperations(observers.overview),
      fleetOperation(fleet, config),
      ...requestOperations(observers.overview, (id) => observers.incidents.example(id)),
      historyOperation(
        (query) => observers.overview.history.ask(query),
        () => deps.clock.wallNow(),
      ),
      ...incidentOperations({ all: () => observers.incidents.all() }),
    ]
    const all = [...operations, describing(operations, version), ...this.#page]
    const terms = { token: config.control.token, maxBodyBytes: config.checkpoints.maxBody, operations: all }
    return { terms, redis: clients }
  }
}

const readText = (path: string) => readFileSync(path, 'utf8')

/**
 * A changed `control.listen` needs a restart, and the check of the file sees only the new address.
 * @throws Error when the address in use is not loopback and the configuration has no token.
 */
export function assertControlExposure({ listen, token }: Config['control']): void {
  if (token === '' && !isLoopback(listen.host))
    throw new Error(`control.token is needed until control.listen is no longer ${written(listen)}: after a restart`)
}

/** Closes clients that are not kept. */
function closeOthers(all: RedisClients, kept: RedisClients): void {
  for (const [key, client] of all) if (!kept.has(key)) client.close()
}

function tellNews(news: StoreNews, emit: Emit): void {
  if (news.kind === 'set_aside') emit({ ...news, kind: 'store_set_aside' })
  else if (news.kind === 'evicts') emit({ ...news, kind: 'store_evicts' })
  else if (news.kind === 'fault') emit({ ...news, where: 'store' })
  else emit(news)
}

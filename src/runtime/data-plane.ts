/** The data plane: the generation in force, its listeners, and the kept request bodies. */

import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { within } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { UpstreamLooks } from '../control/health/checks.ts'
import type { Deps } from '../deps.ts'
import type { Event, Snapshot } from '../events.ts'
import type { JobBook } from '../job/book.ts'
import type { Resolve } from '../net/dns-cache.ts'
import type { Address } from '../net/listen.ts'
import type { PeerNews } from '../peers.ts'
import type { Prepared } from '../prepared.ts'
import type { KeptBytes } from '../proxy/body/kept-bytes.ts'
import { connectionsWithin, descriptorLimit, openDescriptors } from '../proxy/listener/descriptors.ts'
import { connectTo } from '../proxy/upstream/transport.ts'
import { activateGeneration, type Generation, type Ground, prepareGeneration } from './generation.ts'
import { doorsOf, Listeners, ownKey, SHARED } from './listeners.ts'
import type { Runtime } from './runtime.ts'
import type { FileAccess } from './secret-files.ts'

export class DataPlane {
  readonly #deps: Deps
  readonly #ground: Ground
  readonly #descriptors = descriptorLimit()
  readonly #kept: KeptBytes = { memory: 0, disk: 0, limits: () => this.#inForce.bodies }
  readonly #listeners: Listeners
  /** Client connections that the process has descriptors for. */
  readonly #maxConnections: number
  #inForce: Generation

  /** Does not listen yet. @throws Error for a file of the configuration that cannot be read. */
  constructor(config: Config, book: JobBook, resolve: Resolve, watchFile: FileAccess['watchFile'], deps: Deps) {
    this.#deps = deps
    this.#ground = {
      book,
      connect: (settings) => connectTo(settings, resolve, () => this.#inForce.maxHead, deps),
      files: { readText: (path) => readFileSync(path, 'utf8'), watchFile },
      deps,
    }
    this.#inForce = prepareGeneration(config, undefined, this.#ground)
    this.#maxConnections = connectionsWithin(this.#descriptors, openDescriptors())
    this.#listeners = new Listeners(
      {
        ...deps,
        spillFolder: tmpdir(),
        keptBytes: this.#kept,
        fullBy: (open) => this.#fullBy(open),
        maxHead: () => this.#inForce.maxHead,
        jobs: () => this.#inForce.jobs,
        sample: config.tracing.endpoint === '' ? undefined : config.tracing.sample,
      },
      deps.emit,
    )
  }

  /** @throws Error naming the configuration's key when it cannot listen somewhere. Nothing is left open then. */
  async listen(config: Config): Promise<void> {
    const [descriptors, connections] = [this.#descriptors, this.#maxConnections]
    if (descriptors !== undefined && connections < config.maxConnections)
      this.#deps.emit({ kind: 'few_descriptors', descriptors, connections })
    const doors = doorsOf(config, () => this.#inForce.runtime.upstreams)
    const { activate } = await this.#listeners.prepare(doors, doors)
    activate()
    this.#inForce.secrets.begin()
  }

  /**
   * Makes the next generation and opens its listeners.
   * @throws Error naming the configuration's key when it cannot listen somewhere or read a file. Nothing is left open then.
   */
  async prepare(config: Config): Promise<Prepared & { readonly looks: UpstreamLooks }> {
    const before = this.#inForce
    const next = prepareGeneration(config, before, this.#ground)
    const listeners = await this.#listeners.prepare(
      doorsOf(config, () => next.runtime.upstreams),
      doorsOf(config, () => this.#inForce.runtime.upstreams),
    )
    return {
      looks: next.looks,
      activate: () => {
        this.#inForce = next
        activateGeneration(before, next, this.#deps)
        listeners.activate()
      },
      abandon: listeners.abandon,
    }
  }

  record(event: Event): void {
    this.#inForce.earlyProbes.record(event)
  }

  /** Takes what another sidecar of the fleet told. */
  hear(news: PeerNews): void {
    this.#inForce.runtime.hear(news)
  }

  get looks(): UpstreamLooks {
    return this.#inForce.looks
  }

  /** Longest drain in ms. */
  get shutdownMs(): number {
    return this.#inForce.shutdownMs
  }

  addresses(): { readonly shared: Address | undefined; readonly upstreams: ReadonlyMap<string, Address> } {
    const own = [...this.#inForce.runtime.upstreams.keys()].flatMap((name) => {
      const address = this.#listeners.addressOf(ownKey(name))
      return address === undefined ? [] : [[name, address] as const]
    })
    return { shared: this.#listeners.addressOf(SHARED), upstreams: new Map(own) }
  }

  snapshot(): Snapshot {
    return {
      ...this.#inForce.runtime.snapshot(),
      bodies: this.#kept,
      listeners: this.#listeners.connections(),
    }
  }

  /** What the control plane may ask of the data plane and tell it. */
  get plane() {
    const setMode: Runtime['setMode'] = (...word) => this.#inForce.runtime.setMode(...word)
    return {
      upstreams: () => this.#inForce.runtime.snapshot().upstreams,
      limits: () => this.#inForce.runtime.snapshot().limits,
      setMode,
      clock: this.#deps.clock,
    }
  }

  inFlight(): number {
    return this.#listeners.inFlight()
  }

  /** Accepts no more connections. Resolves when no request is under way, or after so many ms. */
  async finish(ms: number): Promise<void> {
    await within(this.#deps.clock, ms, this.#listeners.finish())
  }

  /** Cuts the requests under way. */
  cut(): void {
    this.#listeners.cut()
  }

  async close(): Promise<void> {
    this.#inForce.earlyProbes.close()
    this.#inForce.secrets.close()
    await Promise.all([this.#inForce.runtime.close(), this.#listeners.close()])
  }

  #fullBy(open: number): 'maxConnections' | 'descriptors' | undefined {
    if (open >= this.#inForce.maxConnections) return 'maxConnections'
    return this.#listeners.allConnections() >= this.#maxConnections ? 'descriptors' : undefined
  }
}

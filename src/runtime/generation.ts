import type { Config } from '../config/schema.ts'
import { EarlyProbes } from '../control/health/early-probes.ts'
import { type UpstreamLooks, upstreamHealth } from '../control/health/checks.ts'
import type { JobBook } from '../job/book.ts'
import type { Deps } from '../deps.ts'
import type { JobShape } from '../proxy/job-shape.ts'
import type { Connect } from './retained.ts'
import { compile, type Runtime, succeed } from './runtime.ts'

/** What a configuration comes to: made beside the one in force, which it then replaces by one assignment. */
export type Current = {
  readonly runtime: Runtime
  readonly jobs: JobShape
  readonly looks: UpstreamLooks
  readonly earlyProbes: EarlyProbes
  /** Bytes of request bodies that may be kept, all together. */
  readonly bodies: Config['bodies']
  /** The longest drain, in ms. */
  readonly shutdownMs: number
  /** Clients of one listener. */
  readonly maxConnections: number
}

/** What is the same for every configuration. */
export type Around = {
  readonly book: JobBook
  readonly connect: Connect
  /** Of a file that a configuration names; throws when it cannot be read. */
  readonly readText: (path: string) => string
  readonly deps: Deps
}

/** @param before the one in force, which goes on unchanged; undefined for the first. @throws Error for a file that it cannot read. */
export function currentFor(config: Config, before: Current | undefined, around: Around): Current {
  const { book, connect, readText, deps } = around
  const runtime = compile(config, before?.runtime.carried ?? new Map(), connect, readText, deps)
  const looks = upstreamHealth(config, before?.looks.known ?? new Map(), readText, deps.clock)
  const fault = (error: unknown) => deps.emit({ kind: 'fault', error, where: 'timer' })
  const earlyProbes = new EarlyProbes(looks.watched, runtime.isOpen, runtime.allowProbes, deps.clock, fault)
  return {
    runtime,
    jobs: { ...config.job, book },
    looks,
    earlyProbes,
    bodies: config.bodies,
    shutdownMs: config.shutdown,
    maxConnections: config.maxConnections,
  }
}

/** To be called with the assignment. */
export function handOver(before: Current, after: Current, deps: Deps): void {
  succeed(before.runtime.carried, after.runtime.carried, deps)
  before.earlyProbes.close()
  after.earlyProbes.begin()
}

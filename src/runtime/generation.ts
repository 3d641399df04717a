import type { Config } from '../config/schema.ts'
import { type UpstreamLooks, upstreamHealth } from '../control/health/checks.ts'
import { EarlyProbes } from '../control/health/early-probes.ts'
import type { Deps } from '../deps.ts'
import type { JobBook } from '../job/book.ts'
import type { JobShape } from '../proxy/job-shape.ts'
import type { SourceOf } from './field-rules.ts'
import type { Connect } from './retained.ts'
import { activate, compile, type Runtime } from './runtime.ts'
import { type FileAccess, SecretFiles } from './secret-files.ts'

/** One configuration, ready to serve. It is made beside the generation in force and replaces it by one assignment. */
export type Generation = {
  readonly runtime: Runtime
  readonly jobs: JobShape
  /** Health checks of the upstreams, with their last answers. */
  readonly looks: UpstreamLooks
  readonly earlyProbes: EarlyProbes
  readonly secrets: SecretFiles
  /** Limits of kept request bodies in bytes, for all together. */
  readonly bodies: Config['bodies']
  /** Longest drain in ms. */
  readonly shutdownMs: number
  /** Client connections of one listener. */
  readonly maxConnections: number
  /** Largest head of a message, in bytes. */
  readonly maxHead: number
}

/** Parts that are the same for every generation. */
export type Ground = {
  readonly book: JobBook
  readonly connect: Connect
  /** For files that a configuration names. */
  readonly files: FileAccess
  readonly deps: Deps
}

/**
 * @param before the generation in force, which stays unchanged; undefined for the first.
 * @throws Error for a file that cannot be read.
 */
export function prepareGeneration(config: Config, before: Generation | undefined, ground: Ground): Generation {
  const { book, connect, files, deps } = ground
  const { readText } = files
  const secrets = new SecretFiles(files, deps.emit, before?.secrets.held ?? new Map())
  const sourceOf: SourceOf = (path, key) => secrets.sourceOf(path, key)
  const runtime = compile(config, before?.runtime.retained, connect, { readText, sourceOf }, deps)
  const looks = upstreamHealth(config, before?.looks.known ?? new Map(), readText, deps.clock)
  const fault = (error: unknown) => deps.emit({ kind: 'fault', error, where: 'timer' })
  const earlyProbes = new EarlyProbes(looks.watched, runtime.isOpen, runtime.allowProbes, deps.clock, fault)
  return {
    runtime,
    jobs: { ...config.job, book },
    looks,
    earlyProbes,
    secrets,
    bodies: config.bodies,
    shutdownMs: config.shutdown,
    maxConnections: config.maxConnections,
    maxHead: config.maxHead,
  }
}

/** Called with the assignment: retained state takes its new settings; health checks and the watch on files go over. */
export function activateGeneration(before: Generation, after: Generation, deps: Deps): void {
  activate(before.runtime.retained, after.runtime.retained, deps)
  before.secrets.close()
  after.secrets.begin()
  before.earlyProbes.close()
  after.earlyProbes.begin()
}

import { isoTime } from '../clock.ts'
import type { ConfigFault } from '../config/file/faults.ts'
import type { Config } from '../config/schema.ts'
import type { ReloadFault, ReloadReport, ReloadTrigger } from '../events.ts'
import type { Deps } from '../deps.ts'
import { applicable, changesBetween, NO_CHANGES, restartNeeded } from './changes.ts'
import type { ConfigSource, Reading } from './source.ts'
import type { Given } from './config-thread.ts'

/** The configuration in force. */
export type InForce = { readonly config: Config; readonly version: string; readonly since: string }

/** A text of the file, with the version that it has. */
export type VersionedText = { readonly text: string; readonly version: string }

/**
 * Reloads the configuration, whole or not at all, one reload after the other: the second of two reads what is there after the
 * first.
 */
export class Reloads {
  readonly #source: ConfigSource
  readonly #started: Config
  readonly #apply: (given: Given) => Promise<void>
  readonly #deps: Pick<Deps, 'clock' | 'emit'>
  #inForce: InForce
  /** Version of the text that was read last, sound or not. */
  #readLast: string
  #last: ReloadReport | undefined
  /** Texts in force now and before, and the one that the last reload refused. */
  #texts: {
    readonly now: VersionedText
    readonly before?: VersionedText | undefined
    readonly refused?: VersionedText | undefined
  }
  #underWay: Promise<unknown> = Promise.resolve()

  /** @param apply puts a configuration in force; rejects, with nothing changed, when it cannot. */
  constructor(
    source: ConfigSource,
    started: Config,
    apply: (given: Given) => Promise<void>,
    deps: Pick<Deps, 'clock' | 'emit'>,
  ) {
    this.#source = source
    this.#started = started
    this.#apply = apply
    this.#deps = deps
    this.#readLast = source.version
    this.#texts = { now: source }
    this.#inForce = { config: started, version: source.version, since: isoTime(deps.clock.wallNow()) }
    deps.emit({ kind: 'reload', ...this.#report('start', 'applied', source.version, [], started) })
  }

  get file(): string {
    return this.#source.file
  }

  get inForce(): InForce {
    return this.#inForce
  }

  /** Text of the configuration in force; '' when it comes from no file. */
  get text(): string {
    return this.#texts.now.text
  }

  /** The texts whose difference matters: the refused one, or else the one in force, and the one that it is compared with. */
  get compared():
    | { readonly from: VersionedText; readonly to: VersionedText; readonly isRefused: boolean }
    | undefined {
    const { now, before, refused } = this.#texts
    if (refused !== undefined) return { from: now, to: refused, isRefused: true }
    return before && { from: before, to: now, isRefused: false }
  }

  /** undefined before the first. */
  get last(): ReloadReport | undefined {
    return this.#last
  }

  /** Reloads when the file changes. @returns a function that ends the watch. */
  watch(): () => void {
    const watch = this.#source.watch(
      () => void this.request('file'),
      (error) => this.#deps.emit({ kind: 'fault', error, where: 'watch' }),
    )
    return () => watch.close()
  }

  /** Reloads. Never rejects. A change of the file without a change of its text is ignored. */
  request(trigger: ReloadTrigger): Promise<ReloadReport | undefined> {
    const reload = this.#underWay.then(() => this.#reload(trigger))
    this.#underWay = reload
    return reload
  }

  async #reload(trigger: ReloadTrigger): Promise<ReloadReport | undefined> {
    let version = ''
    try {
      const reading = await this.#source.read()
      version = reading.version
      if (trigger === 'file' && version === this.#readLast) return undefined
      this.#readLast = version
      const report = await this.#put(trigger, reading)
      this.#remember(report, reading)
      return this.#conclude(report)
    } catch (error) {
      if (version === '' && trigger === 'file' && this.#readLast === '') return undefined
      this.#readLast = version
      return this.#conclude(this.#report(trigger, 'refused', version, [faultOf(error)]))
    }
  }

  #remember({ outcome }: ReloadReport, { text, version }: Reading): void {
    const read = { text, version }
    const { now } = this.#texts
    if (outcome === 'refused') this.#texts = { ...this.#texts, refused: read }
    else this.#texts = now.version === version ? { ...this.#texts, refused: undefined } : { now: read, before: now }
  }

  async #put(trigger: ReloadTrigger, { version, load }: Reading): Promise<ReloadReport> {
    const loaded = await load()
    if (!loaded.ok) return this.#report(trigger, 'refused', version, loaded.faults.map(placed))
    const config = applicable(this.#started, loaded.config)
    await this.#apply({ ...loaded, config })
    const report = this.#report(trigger, 'applied', version, [], loaded.config)
    this.#inForce = { config, version, since: isoTime(report.at) }
    return report
  }

  #conclude(report: ReloadReport): ReloadReport {
    this.#last = report
    this.#deps.emit({ kind: 'reload', ...report })
    return report
  }

  /** @param wanted the configuration as the file has it; undefined when it was refused. */
  #report(
    trigger: ReloadTrigger,
    outcome: ReloadReport['outcome'],
    version: string,
    faults: readonly ReloadFault[],
    wanted?: Config,
  ): ReloadReport {
    return {
      trigger,
      outcome,
      version,
      at: this.#deps.clock.wallNow(),
      faults,
      changes: wanted === undefined ? NO_CHANGES : changesBetween(this.#inForce.config, wanted),
      restartNeeded: wanted === undefined ? [] : restartNeeded(this.#started, wanted),
    }
  }
}

const placed = ({ line, column, path, message, suggestion }: ConfigFault): ReloadFault => ({
  line,
  column,
  path,
  message: suggestion === undefined ? message : `${message}, did you mean "${suggestion}"?`,
})

const faultOf = (error: unknown): ReloadFault => ({
  line: undefined,
  column: undefined,
  path: '',
  message: error instanceof Error ? error.message : String(error),
})

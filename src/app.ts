import { ControlPlane } from './control/control-plane.ts'
import { Observers } from './control/observers.ts'
import type { Deps } from './deps.ts'
import { type Emit, emitTo } from './events.ts'
import { fleetOf } from './fleet/join.ts'
import { JobBook } from './job/book.ts'
import { type App, Lifecycle, type Outside } from './lifecycle.ts'
import { putInForce } from './reload/put-in-force.ts'
import { Reloads } from './reload/reloads.ts'
import { type ConfigSource, UNFILED } from './reload/source.ts'
import { watchFile } from './reload/watch.ts'
import type { Given } from './reload/config-thread.ts'
import { DataPlane } from './runtime/data-plane.ts'

/**
 * Joins observers, data plane and control plane, and starts serving.
 * @param source of the configuration, for reloads.
 * @throws Error naming the configuration's key when it cannot listen somewhere or read a file; nothing is left running.
 */
export async function startApp(given: Given, outside: Outside, source: ConfigSource = UNFILED): Promise<App> {
  const { config } = given
  const { clock, random, newId, version, resolve, logTo } = outside
  const folds: Emit[] = []
  const life = new Lifecycle(clock)
  const alone: Deps = { clock, random, newId, emit: emitTo(folds), isDraining: () => life.isDraining }
  const fleet = await fleetOf(config, (news) => data.hear(news), alone)
  const deps: Deps = { ...alone, ...(fleet && { peers: fleet }) }
  const book = new JobBook(config.checkpoints.ttl, clock)
  const unwatched = (error: unknown) => deps.emit({ kind: 'fault', error, where: 'watch' })
  const watch = (file: string, onChange: () => void) => watchFile(file, onChange, unwatched, clock)
  const data = new DataPlane(config, book, resolve, watch, deps)
  const observers = new Observers(config, version, logTo, data, deps)
  folds.push(...observers.folds, (event) => data.record(event))
  life.onClose(() => data.close())
  if (fleet !== undefined) life.onClose(() => fleet.close())
  life.onEnd(() => observers.close())
  observers.tellWarnings(given.warnings)
  try {
    await observers.startTracing(config, version)
    fleet?.begin()
    // Tells of the start before anything else has news: trouble that is told before would be that of an earlier process.
    const reloads: Reloads = new Reloads(source, config, (wanted) => putInForce(wanted, parts, reloads), deps)
    const ground = { observers, book, version, conditions: life.conditions, fleet, deps }
    const control = await ControlPlane.open(config, ground)
    folds.push((event) => control.record(event))
    life.onClose(() => control.close())
    await data.listen(config)
    const parts = { data, control, observers, life }
    await control.listen(given, data.looks, reloads)
    life.isListening = true
    const stopWatching = reloads.watch()
    life.onClose(async () => stopWatching())
    const drain = async () => {
      stopWatching()
      await life.drain(data, deps.emit)
      await observers.finish()
      await life.close()
    }
    return {
      addresses: () => ({ ...data.addresses(), control: control.address() }),
      reload: (trigger) => reloads.request(trigger),
      tell: (error) => deps.emit({ kind: 'fault', error, where: 'process' }),
      drain,
      close: () => life.close(),
    }
  } catch (error) {
    await life.close()
    throw error
  }
}

import type { Config } from '../config/schema.ts'
import { type Address, written } from '../net/listen.ts'
import type { Emit } from '../events.ts'
import type { Prepared } from '../prepared.ts'
import { byListener, byPrefix, type Door, type Listener, listen } from '../proxy/listener/listener.ts'
import type { Upstream } from '../proxy/route.ts'
import type { VisitDeps } from '../proxy/listener/visit.ts'

/** Keys of listeners in the configuration: the shared one, and an upstream's own. */
export const SHARED = 'listen'
export const ownKey = (upstream: string) => `upstreams.${upstream}.listen`

/** @param upstreams read at each request. */
export function doorsOf(config: Config, upstreams: () => ReadonlyMap<string, Upstream>): Door[] {
  const own = config.upstreams.flatMap(({ name, listen: address }) =>
    address === undefined ? [] : [{ key: ownKey(name), address, find: byListener(name, upstreams) }],
  )
  if (config.listen === undefined) return own
  return [{ key: SHARED, address: config.listen, find: byPrefix(upstreams) }, ...own]
}

type Open = { readonly door: Door; readonly listener: Listener }

/** The open listeners, and the change to those of the next configuration. */
export class Listeners {
  readonly #deps: Omit<VisitDeps, 'onOver'>
  readonly #emit: Emit
  #open: readonly Open[] = []
  /** Listeners that accept no more connections and still have some. */
  readonly #retired = new Set<Listener>()

  constructor(deps: Omit<VisitDeps, 'onOver'>, emit: Emit) {
    this.#deps = deps
    this.#emit = emit
  }

  addressOf(key: string): Address | undefined {
    return this.#open.find(({ door }) => door.key === key)?.listener.address
  }

  connections(): { readonly name: string; readonly connections: number }[] {
    return this.#open.map(({ door, listener }) => ({ name: door.key, connections: listener.connections() }))
  }

  /** Client connections, also of listeners that accept no more. */
  allConnections(): number {
    return this.#all().reduce((sum, { connections }) => sum + connections(), 0)
  }

  inFlight(): number {
    return this.#all().reduce((sum, { inFlight }) => sum + inFlight(), 0)
  }

  /**
   * Opens what is not open yet; an address that is stays open, whoever it is for from now on. Those that are open already
   * notice nothing before `activate`, which closes those that are not wanted any more.
   * @param wanted the listeners that the configuration asks for. @param steady the same ones, as they lead from then on.
   * @throws Error naming the key when it cannot listen somewhere; nothing is left open then.
   */
  async prepare(wanted: readonly Door[], steady: readonly Door[]): Promise<Prepared> {
    const free = new Set(this.#open)
    const kept = wanted.flatMap((door) => {
      const one = [...free].find((open) => isSame(open.door, door))
      if (one === undefined || !free.delete(one)) return []
      return [{ door, listener: one.listener }]
    })
    const missing = wanted.filter((one) => !kept.some(({ door }) => door === one))
    const opened: Open[] = []
    const abandon = async () => {
      await Promise.all(opened.map(({ listener }) => listener.close()))
    }
    for (const door of missing) {
      try {
        opened.push({ door, listener: await listen(door, this.#deps) })
      } catch (error) {
        await abandon()
        throw error
      }
    }
    const activate = () => {
      this.#open = [...kept, ...opened].map(({ door, listener }) => {
        const now = steady.find(({ key }) => key === door.key) ?? door
        listener.lead(now.find)
        return { door: now, listener }
      })
      for (const { door, listener } of opened) this.#tell('listening', door, listener)
      for (const { door, listener } of free) this.#retire(door, listener)
    }
    return { activate, abandon }
  }

  /** Accepts no more connections. Resolves when the last request has ended. */
  async finish(): Promise<void> {
    await Promise.all(this.#all().map((listener) => listener.finish()))
  }

  /** Cuts the requests under way. */
  cut(): void {
    for (const listener of this.#all()) listener.cut()
  }

  async close(): Promise<void> {
    await Promise.all(this.#all().map((listener) => listener.close()))
  }

  #all(): Listener[] {
    return [...this.#open.map(({ listener }) => listener), ...this.#retired]
  }

  #retire(door: Door, listener: Listener): void {
    this.#tell('closing', door, listener)
    this.#retired.add(listener)
    listener.retire(() => this.#retired.delete(listener))
  }

  #tell(kind: 'listening' | 'closing', { key }: Door, { address }: Listener): void {
    this.#emit({ kind, name: key, address: written(address) })
  }
}

/** Port 0 is a new port each time. There the key identifies the listener. */
const isSame = (open: Door, wanted: Door) =>
  open.address.host === wanted.address.host &&
  open.address.port === wanted.address.port &&
  (wanted.address.port !== 0 || open.key === wanted.key)

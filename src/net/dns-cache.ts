import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import type { Timer } from '../clock.ts'
import type { Deps } from '../deps.ts'

/** All addresses of a name in the order to try them. Rejects with the platform's error (ENOTFOUND, EAI_AGAIN). */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

/** Resolves names as the machine does, with its hosts file and search domains. */
export const systemResolve: Resolve = (host) => lookup(host, { all: true })

type Known = {
  addresses: readonly LookupAddress[]
  /** Addresses that took no connection, and the monotonic ms until which they are tried last. */
  readonly avoided: Map<string, number>
  isUsed: boolean
  timer: Timer | undefined
}

/**
 * Caches the addresses of upstreams' names and looks them up again in the background. A connect waits for the resolver only the
 * first time; a later lookup that fails or hangs leaves the known addresses (nginx resolves once at its start; Envoy's
 * `dns_refresh_rate` is the model). Connects start at one address after the other, so that the pods of a headless service share
 * them. A name without a connect for a whole interval is forgotten.
 */
export class Names {
  readonly #resolve: Resolve
  readonly #everyMs: number
  readonly #deps: Deps
  readonly #known = new Map<string, Known>()
  readonly #first = new Map<string, Promise<readonly LookupAddress[]>>()
  #turn = 0
  readonly #onFault = (error: unknown) => this.#deps.emit({ kind: 'fault', error, where: 'resolver' })

  constructor(resolve: Resolve, everyMs: number, deps: Deps) {
    this.#resolve = resolve
    this.#everyMs = everyMs
    this.#deps = deps
  }

  /** Signature of node:net's `lookup`. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    this.#addressesOf(host)
      .then(
        (addresses) => {
          const [first] = addresses
          if (first === undefined) return callback(notFound(host), '', 0)
          if (options.all === true) callback(null, [...addresses])
          else callback(null, first.address, first.family)
        },
        (error: NodeJS.ErrnoException) => callback(error, '', 0),
      )
      .catch(this.#onFault)
  }

  /** Tries an address last for a refresh interval, since it took no connection. */
  avoid(host: string, address: string): void {
    const known = this.#known.get(host)
    if (known === undefined || known.addresses.length < 2) return
    known.avoided.set(address, this.#deps.clock.now() + this.#everyMs)
  }

  /**
   * Whether a connected address is still one of the name's known addresses. An address as host is never looked up, so it has no
   * other. @param address undefined while nothing is connected: then true.
   */
  holds(host: string, address: string | undefined): boolean {
    const known = this.#known.get(host)
    return address === undefined || known === undefined || known.addresses.some((one) => one.address === address)
  }

  close(): void {
    for (const { timer } of this.#known.values()) if (timer !== undefined) this.#deps.clock.cancel(timer)
    this.#known.clear()
  }

  async #addressesOf(host: string): Promise<readonly LookupAddress[]> {
    const known = this.#known.get(host)
    if (known === undefined) return this.#askFirst(host)
    known.isUsed = true
    this.#turn += 1
    const at = this.#turn % known.addresses.length
    const inTurn = [...known.addresses.slice(at), ...known.addresses.slice(0, at)]
    if (known.avoided.size === 0) return inTurn
    const now = this.#deps.clock.now()
    for (const [address, untilAt] of known.avoided) if (untilAt <= now) known.avoided.delete(address)
    const isAvoided = ({ address }: LookupAddress) => known.avoided.has(address)
    return [...inTurn.filter((one) => !isAvoided(one)), ...inTurn.filter(isAvoided)]
  }

  #askFirst(host: string): Promise<readonly LookupAddress[]> {
    const under = this.#first.get(host)
    if (under !== undefined) return under
    const asked = this.#resolve(host).then((addresses) => {
      if (addresses.length > 0) {
        const known: Known = { addresses, avoided: new Map(), isUsed: true, timer: undefined }
        this.#known.set(host, known)
        this.#refreshLater(host, known)
      }
      return addresses
    })
    this.#first.set(host, asked)
    const forget = () => void this.#first.delete(host)
    asked.then(forget, forget)
    return asked
  }

  #refreshLater(host: string, known: Known): void {
    known.timer = this.#deps.clock.after(this.#everyMs, () => {
      known.timer = undefined
      if (known.isUsed) this.#refresh(host, known).catch(this.#onFault)
      else this.#known.delete(host)
    })
  }

  async #refresh(host: string, known: Known): Promise<void> {
    known.isUsed = false
    try {
      const addresses = await this.#resolve(host)
      if (addresses.length === 0) throw notFound(host)
      if (isOther(addresses, known.addresses))
        this.#deps.emit({ kind: 'name', host, outcome: 'changed', error: undefined })
      known.addresses = addresses
    } catch (error) {
      this.#deps.emit({ kind: 'name', host, outcome: 'failed', error })
    }
    if (this.#known.get(host) === known) this.#refreshLater(host, known)
  }
}

const isOther = (some: readonly LookupAddress[], others: readonly LookupAddress[]) =>
  some.length !== others.length || some.some(({ address }) => !others.some((other) => other.address === address))

const notFound = (host: string) => Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' })

/** Sends many talks at once through one sidecar, then checks that the sidecar is settled. */

import type { Chance } from './chance.ts'
import { carryOut, describeTalk } from './client.ts'
import { Registry } from './registry.ts'
import { type RunningSidecar, runSidecar } from './sidecar.ts'
import { unsettled } from './settled.ts'
import { type Feature, type Talk, talk, UPSTREAMS } from './talks.ts'
import { type MutatingUpstream, mutatingUpstream } from './upstream.ts'

export type Findings = {
  readonly findings: readonly string[]
  readonly requests: number
  /** Numbers of the talks that were under way when the sidecar ended; empty when it did not. */
  readonly suspects: readonly number[]
}

/** A running sidecar and its upstreams, for any number of rounds. */
export class Ground {
  readonly sidecar: RunningSidecar
  readonly #upstreams: readonly MutatingUpstream[]
  readonly #place: { chance: Chance; registry: Registry }

  private constructor(
    sidecar: RunningSidecar,
    upstreams: readonly MutatingUpstream[],
    place: { chance: Chance; registry: Registry },
  ) {
    this.sidecar = sidecar
    this.#upstreams = upstreams
    this.#place = place
  }

  static async open(first: Chance): Promise<Ground> {
    const place = { chance: first, registry: new Registry() }
    const upstreams = await Promise.all([mutatingUpstream(place), mutatingUpstream(place)])
    const sidecar = await runSidecar(configFor(upstreams.map(({ port }) => `http://127.0.0.1:${port}`)))
    return new Ground(sidecar, upstreams, place)
  }

  /**
   * @param numbers of the talks. A talk depends only on the chance and its number.
   * @param atOnce how many connections are open together.
   */
  async round(
    chance: Chance,
    numbers: readonly number[],
    atOnce: number,
    without: ReadonlySet<Feature>,
  ): Promise<Findings> {
    const registry = new Registry()
    this.#place.chance = chance.fork('upstream')
    this.#place.registry = registry
    const left = numbers.map((number) => talk(number, chance.fork(number), without))
    const underWay = new Map<number, Talk>()
    const done: Talk[] = []
    let suspects: readonly number[] = []
    const work = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        underWay.set(next.number, next)
        done.push(next)
        await carryOut(next, this.sidecar.port, registry)
        if (this.sidecar.ending() !== undefined) {
          if (suspects.length === 0) suspects = [...underWay.keys()]
          return
        }
        underWay.delete(next.number)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, work))
    const wrong = await unsettled(this.sidecar, UPSTREAMS)
    const findings = [...registry.findings, ...wrong].map((finding) => {
      const meant = done.find(
        ({ number, requests }) =>
          finding.startsWith(`talk ${number}:`) || requests.some(({ id }) => finding.includes(` ${id} (`)),
      )
      return meant === undefined ? finding : `${finding}\n  ${describeTalk(meant, registry)}`
    })
    return { findings, requests: done.reduce((sum, { requests }) => sum + requests.length, 0), suspects }
  }

  async close(): Promise<void> {
    await this.sidecar.kill()
    await Promise.all(this.#upstreams.map((upstream) => upstream.close()))
  }
}

/** One upstream for each policy, and one with all policies. All timeouts are short. @param origins two. */
function configFor([url = '', other = '']: readonly string[]): object {
  const alone = (name: string, settings: object) => ({ [name]: { url, ...settings } })
  const route = (name: string, settings: object) => ({ match: `GET /${name}/{id}`, ...settings })
  const hold = { json: '/status', in: ['queued', 'processing'], upTo: '1s', every: '100ms' }
  const failureWhen = { json: '/status', in: ['failed'], oncePer: 'id', completed: ['done'] }
  return {
    version: 1,
    listen: '127.0.0.1:0',
    control: { listen: '127.0.0.1:0' },
    checkpoints: { store: 'memory:' },
    log: { level: 'info', access: true },
    defaults: {
      timeout: { connect: '500ms', attempt: '400ms', total: '1s', idle: '400ms', tunnel: '1s' },
      clientTimeout: '2s',
      retry: {
        attempts: 3,
        backoff: { initial: '10ms', factor: 2, max: '40ms', jitter: 0 },
        budget: { ratio: 1, minPerSecond: 1000, window: '1s' },
      },
      breaker: { consecutiveFailures: 100_000, failureRate: false },
      concurrency: { max: 64, queue: 256, queueTimeout: '500ms' },
      connections: { max: 32, idle: '300ms' },
    },
    upstreams: {
      ...alone('bare', {}),
      ...alone('held', { routes: [route('held', { hold })] }),
      ...alone('shared', { collapse: true }),
      ...alone('hedged', { hedge: { after: '40ms', max: 2 } }),
      ...alone('resumed', { routes: [route('resumed', { resume: true })] }),
      several: { urls: [url, other] },
      ...alone('paced', { rate: { requests: 60, per: '1s', queueTimeout: '300ms' } }),
      ...alone('observed', { timeout: { attempt: { observed: 'p90', times: 3, min: '100ms', max: '400ms' } } }),
      ...alone('watched', { routes: [route('watched', { failureWhen })] }),
      ...alone('narrow', {
        connections: { max: 2 },
        concurrency: { max: 4, queue: 8, queueTimeout: '300ms', adaptive: true },
      }),
      ...alone('spilling', {
        retry: { methods: ['GET', 'PUT', 'POST'], bodyBuffer: { memory: '1KiB', disk: '64KiB' } },
      }),
      ...alone('breaking', {
        breaker: {
          consecutiveFailures: 3,
          openFor: '100ms',
          openForMax: '200ms',
          halfOpenProbes: 1,
          failureRate: false,
        },
      }),
      mixed: {
        urls: [url, other],
        hedge: { after: '40ms', max: 1 },
        collapse: true,
        connections: { max: 4 },
        retry: { bodyBuffer: { memory: '1KiB', disk: '64KiB' } },
        routes: [route('mixed', { hold, failureWhen, resume: true, hedge: { after: '40ms', max: 1 }, collapse: true })],
      },
    },
  }
}

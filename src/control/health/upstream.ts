/** Checks an upstream's health path directly, without the policies. */

import { request as requestHttps } from 'node:https'
import { request as requestHttp } from '../../net/http.ts'
import type { SecureContext } from 'node:tls'
import type { Clock } from '../../clock.ts'
import { serverNameOf, trusting } from '../../net/tls/trust.ts'
import { Degraded } from './report.ts'

export type UpstreamHealthSettings = {
  /** Scheme, host, port and perhaps a base path. */
  readonly url: string
  /** undefined without a health path: then any answer below 500 is healthy. */
  readonly path: string | undefined
  readonly timeoutMs: number
  /** Interval in ms between two checks, however many ask. */
  readonly intervalMs: number
  /** PEM text of certificate authorities to trust besides the default ones; '' for none. */
  readonly ca: string
  readonly servername: string
  /** PEM text of the client certificate and its private key; both '' for none. */
  readonly cert: string
  readonly key: string
}

/**
 * Checks an upstream at most once per interval: a service that inspects its workers stands still meanwhile, and would do so a
 * third of the time with a probe each 10 s. In between the last answer holds.
 */
export class UpstreamHealth {
  readonly #settings: UpstreamHealthSettings
  readonly #clock: Clock
  #trust: SecureContext | undefined
  #latest: { readonly answer: Promise<string>; readonly at: number } | undefined

  constructor(settings: UpstreamHealthSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  get origin(): string {
    return new URL(this.#settings.url).origin
  }

  /** Rejects when the check fails. */
  look(): Promise<string> {
    const now = this.#clock.now()
    if (this.#latest === undefined || now - this.#latest.at >= this.#settings.intervalMs) {
      this.#latest = { answer: this.#ask(), at: now }
    }
    return this.#latest.answer
  }

  #ask(): Promise<string> {
    const { url, path, timeoutMs } = this.#settings
    const target = new URL(`${url}${path ?? '/'}`)
    const options = { agent: false, headers: { 'user-agent': 'breakwater-health' } }
    const isWell = (status: number) => (path === undefined ? status < 500 : status < 400)
    return new Promise((resolve, reject) => {
      const asking =
        target.protocol === 'https:'
          ? requestHttps(target, { ...options, ...this.#tls() })
          : requestHttp(target, options)
      const timer = this.#clock.after(timeoutMs, () =>
        asking.destroy(new Error(`no answer within ${timeoutMs / 1000}s`)),
      )
      asking.on('response', (response) => {
        const { statusCode = 0 } = response
        response.destroy()
        if (isWell(statusCode)) resolve(`HTTP ${statusCode}`)
        else reject(new Error(`HTTP ${statusCode}`))
      })
      asking.on('error', (error: NodeJS.ErrnoException) => reject(new Error(error.code ?? error.message)))
      asking.on('close', () => this.#clock.cancel(timer))
      asking.end()
    })
  }

  #tls() {
    const { url, ca, servername, cert, key } = this.#settings
    this.#trust ??= trusting(ca, { cert, key })
    return { secureContext: this.#trust, servername: serverNameOf(new URL(url), servername) }
  }
}

/** Of several endpoints it says how many are healthy. @throws Degraded while one of them is, Error when none is. */
export async function lookAtEndpoints(endpoints: readonly UpstreamHealth[]): Promise<string> {
  const [only, ...others] = endpoints
  if (only !== undefined && others.length === 0) return only.look()
  const looks = await Promise.allSettled(endpoints.map((endpoint) => endpoint.look()))
  const faults = looks.flatMap((look, i) =>
    look.status === 'rejected' ? [`${endpoints[i]?.origin}: ${String(look.reason?.message)}`] : [],
  )
  const well = `${endpoints.length - faults.length} of ${endpoints.length} endpoints`
  const details = [well, ...faults].join('; ')
  if (faults.length === endpoints.length) throw new Error(details)
  if (faults.length > 0) throw new Degraded(details)
  return details
}

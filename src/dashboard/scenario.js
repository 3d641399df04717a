/** The scenario of an outage, from the fields of the form: what `breakwater simulate --scenario` reads. */

/** @typedef {{ readonly upstream: string, readonly fault: string, readonly lasts: string, readonly rate: string, readonly request: string }} Outage */

/** @type {Readonly<Record<string, string>>} */
export const FAULTS = {
  refused: 'refuses connections',
  silent: 'does not answer',
  error: 'answers 503',
  slow: 'is ten times slower',
}

/** The outage begins after 30 s; two minutes follow it. @param {Outage} outage @param {number} p50Ms @param {number} p99Ms of its upstream */
export const scenarioOf = (
  { upstream, fault, lasts, rate, request },
  p50Ms,
  p99Ms,
) => `lasts: ${30 + Number(lasts) + 120}s
traffic:
  - { upstream: ${quoted(upstream)}, request: ${quoted(request)}, rate: ${rate} }
upstreams:
  ${quoted(upstream)}:
    latency: { p50: ${whole(p50Ms)}ms, p99: ${whole(Math.max(p50Ms, p99Ms))}ms }
    faults:
      - { as: ${fault}, from: 30s, lasts: ${lasts}s }
`

/** @param {string} text */
const quoted = (text) => JSON.stringify(text)

/** @param {number} ms */
const whole = (ms) => Math.max(1, Math.round(ms))

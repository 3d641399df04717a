/** Health report, probes and metrics. Open without a token. */

import { z } from 'zod'
import type { HealthDocument } from '../../health/report.ts'
import type { Metrics } from '../../metrics/metrics.ts'
import { json, type Operation, operation, PLAIN, problem, text } from '../operation.ts'

export type Observed = {
  readonly health: Reporting
  /** Without checks that call an upstream which names no path for them. */
  readonly asked: Reporting
  readonly metrics: Pick<Metrics, 'scrape'>
  /** Conditions for having started, and for taking traffic. */
  readonly phase: () => { readonly started: Conditions; readonly ready: Conditions }
}

type Reporting = { report(): Promise<HealthDocument> }

/** Whether each named condition holds. */
type Conditions = Readonly<Record<string, boolean>>

/** Health report, probes and metrics. Open without a token. */
export function observationOperations({ metrics, health, asked, phase }: Observed): Operation[] {
  return [
    ...probeOperations({ metrics, phase }),
    operation({
      ...OBSERVATION,
      id: 'checkHealth',
      path: '/health',
      summary: 'Health of the dependencies of the service, each checked separately; made at most once a second',
      answers: {
        200: { what: 'healthy, or degraded: something needs a look, and nothing critical is missing', schema: HEALTH },
        503: { what: 'unhealthy', schema: HEALTH },
      },
      answer: async () => {
        const document = await health.report()
        return json(document.status === 'unhealthy' ? 503 : 200, document)
      },
    }),
    operation({
      ...PLAIN,
      id: 'readHealth',
      method: 'GET',
      path: '/v1/health',
      summary:
        'The report of /health, and whether the sidecar takes traffic; without checks of upstreams that have no health.path, so that a page which is open calls none',
      answers: { 200: { what: 'the report, whatever it says', schema: HEALTH.extend({ ready: z.boolean() }) } },
      answer: async () => json(200, { ...(await asked.report()), ready: Object.values(phase().ready).every(Boolean) }),
    }),
  ]
}

const OBSERVATION = { ...PLAIN, method: 'GET', open: true } as const

const HEALTH = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  service: z.string(),
  version: z.string(),
  checks: z.record(
    z.string(),
    z.object({
      healthy: z.boolean(),
      degraded: z.boolean().optional(),
      details: z.string(),
      latency_ms: z.number().optional(),
    }),
  ),
  timestamp: z.iso.datetime(),
})

/** Operations of the metrics listener. */
export function probeOperations({ metrics, phase }: Omit<Observed, 'health' | 'asked'>): Operation[] {
  const probe = (id: string, path: string, summary: string, conditions: () => Conditions): Operation =>
    operation({
      ...OBSERVATION,
      id,
      path,
      summary,
      query: { verbose: z.string().optional() },
      answers: { 200: { what: 'yes', schema: undefined }, 503: { what: 'no', schema: undefined } },
      answer: ({ query }) => {
        const all = Object.entries(conditions())
        const failing = all.filter(([, holds]) => !holds).map(([name]) => name)
        if (query.verbose !== undefined) return { ...text(verdicts(all)), status: failing.length === 0 ? 200 : 503 }
        return failing.length === 0 ? text('ok\n') : problem(503, `not ${failing.join(', not ')}`)
      },
    })
  return [
    operation({
      ...OBSERVATION,
      id: 'scrape',
      path: '/metrics',
      summary: 'Metrics in the Prometheus text format, or in OpenMetrics with exemplars for clients that accept them',
      answers: { 200: { what: 'the metrics', schema: undefined } },
      answer: async ({ header }) => {
        const { body, contentType } = await metrics.scrape(header('accept') ?? '')
        return text(body, contentType)
      },
    }),
    probe('isAlive', '/livez', 'Whether the event loop turns', () => ({ alive: true })),
    probe('isReady', '/readyz', 'Whether the sidecar takes traffic; upstreams do not matter', () => phase().ready),
    probe('hasStarted', '/startupz', 'Whether all listeners are open', () => phase().started),
  ]
}

/** Worded like Kubernetes' own probes. */
const verdicts = (conditions: readonly (readonly [string, boolean])[]) =>
  conditions.map(([name, holds]) => `${holds ? '[+]' : '[-]'}${name} ${holds ? 'ok' : 'failed'}\n`).join('')

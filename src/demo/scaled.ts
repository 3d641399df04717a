import type { TimeoutRule } from '../job/timeouts.ts'
import type { Breaker, Config, Retry, Timeouts, UpstreamConfig } from '../config/schema.ts'

type Hedge = UpstreamConfig['hedge']

/**
 * The same configuration in a world where every second lasts `scale` seconds. Shares, counts and sizes stay, and so do the
 * times of idle connections, which the services of that world keep as long as the real ones.
 */
export function scaled(config: Config, scale: number): Config {
  const length = <L>(ms: L | number) => (typeof ms === 'number' ? ms * scale : ms)
  const attemptLength = (attempt: Timeouts['attempt']): Timeouts['attempt'] =>
    typeof attempt === 'number' || !('observed' in attempt)
      ? length(attempt)
      : { ...attempt, min: attempt.min * scale, max: length(attempt.max) }
  const timeout = ({ connect, attempt, total, idle, tunnel }: Timeouts): Timeouts => ({
    connect: length(connect),
    attempt: attemptLength(attempt),
    total: length(total),
    idle: length(idle),
    tunnel: tunnel * scale,
  })
  const retry = (rules: Retry): Retry => ({
    ...rules,
    backoff: { ...rules.backoff, initial: rules.backoff.initial * scale, max: rules.backoff.max * scale },
    budget: { ...rules.budget, window: rules.budget.window * scale, minPerSecond: rules.budget.minPerSecond / scale },
  })
  const breaker = (rules: Breaker): Breaker => ({
    ...rules,
    failureRate: rules.failureRate && { ...rules.failureRate, window: rules.failureRate.window * scale },
    slowCalls: rules.slowCalls && {
      ...rules.slowCalls,
      slowerThan: rules.slowCalls.slowerThan * scale,
      window: rules.slowCalls.window * scale,
    },
    openFor: rules.openFor * scale,
    openForMax: rules.openForMax * scale,
  })
  const hedge = (rules: Hedge): Hedge => rules && { ...rules, after: length(rules.after) }
  const rule = (computed: TimeoutRule): TimeoutRule => ({
    ...computed,
    baseMs: computed.baseMs * scale,
    per: Object.fromEntries(Object.entries(computed.per).map(([input, ms]) => [input, ms * scale])),
    minMs: computed.minMs * scale,
    maxMs: computed.maxMs * scale,
  })
  return {
    ...config,
    timeouts: Object.fromEntries(Object.entries(config.timeouts).map(([name, computed]) => [name, rule(computed)])),
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      health: {
        ...upstream.health,
        timeout: upstream.health.timeout * scale,
        interval: upstream.health.interval * scale,
      },
      timeout: timeout(upstream.timeout),
      retry: retry(upstream.retry),
      breaker: breaker(upstream.breaker),
      rate: upstream.rate && {
        ...upstream.rate,
        per: upstream.rate.per * scale,
        queueTimeout: upstream.rate.queueTimeout && upstream.rate.queueTimeout * scale,
      },
      balance: { decay: upstream.balance.decay * scale, slowStart: upstream.balance.slowStart * scale },
      hedge: hedge(upstream.hedge),
      concurrency: { ...upstream.concurrency, queueTimeout: upstream.concurrency.queueTimeout * scale },
      routes: upstream.routes.map((route) => ({
        ...route,
        timeout: timeout(route.timeout),
        retry: retry(route.retry),
        hedge: hedge(route.hedge),
        hold: route.hold && { ...route.hold, upTo: route.hold.upTo * scale, every: route.hold.every * scale },
        breaker: route.breaker && breaker(route.breaker),
      })),
    })),
  }
}

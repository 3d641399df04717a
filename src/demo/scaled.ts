import type { Breaker, Config, Retry, Timeouts } from '../config/schema.ts'

/** The same configuration in a world where every second lasts `scale` seconds. Shares, counts and sizes stay. */
export function scaled(config: Config, scale: number): Config {
  const timeout = (lengths: Timeouts): Timeouts => ({
    connect: lengths.connect * scale,
    attempt: lengths.attempt * scale,
    total: lengths.total * scale,
    idle: lengths.idle * scale,
  })
  const retry = (rules: Retry): Retry => ({
    ...rules,
    backoff: { ...rules.backoff, initial: rules.backoff.initial * scale, max: rules.backoff.max * scale },
    budget: { ...rules.budget, window: rules.budget.window * scale, minPerSecond: rules.budget.minPerSecond / scale },
  })
  const breaker = (rules: Breaker): Breaker => ({
    ...rules,
    failureRate: rules.failureRate && { ...rules.failureRate, window: rules.failureRate.window * scale },
    openFor: rules.openFor * scale,
    openForMax: rules.openForMax * scale,
  })
  return {
    ...config,
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      timeout: timeout(upstream.timeout),
      retry: retry(upstream.retry),
      breaker: breaker(upstream.breaker),
      concurrency: { ...upstream.concurrency, queueTimeout: upstream.concurrency.queueTimeout * scale },
      routes: upstream.routes.map((route) => ({
        ...route,
        timeout: timeout(route.timeout),
        retry: retry(route.retry),
        breaker: route.breaker && breaker(route.breaker),
      })),
    })),
  }
}

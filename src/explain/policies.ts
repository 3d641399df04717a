/** The policies in force for a request, in the order in which it meets them, each setting with its line. */

import { writtenBytes, writtenMs } from '../config/kinds/units.ts'
import type { Part, Scope } from './scope.ts'
import type { Limits } from './limits.ts'

export type Policy = { readonly name: string; readonly parts: readonly Part[] }

export function policiesOf(scope: Scope, { total, client }: Limits): Policy[] {
  const policies: readonly Policy[] = [
    { name: 'deadline', parts: deadlineParts(scope, total, client) },
    { name: 'hold', parts: holdParts(scope) },
    { name: 'collapse', parts: collapseParts(scope) },
    { name: 'rate', parts: rateParts(scope) },
    { name: 'concurrency', parts: concurrencyParts(scope) },
    { name: 'resume', parts: resumeParts(scope) },
    { name: 'retry', parts: retryParts(scope) },
    { name: 'hedge', parts: hedgeParts(scope) },
    { name: 'connections', parts: connectionParts(scope) },
    { name: 'breaker', parts: breakerParts(scope) },
    { name: 'failureWhen', parts: failureWhenParts(scope) },
  ]
  return policies.filter(({ parts }) => parts.length > 0)
}

function deadlineParts({ part }: Scope, total: Part, client: Part): Part[] {
  const shorter = part('timeout.total', 'less where x-request-timeout or the time left of a registered job is less')
  return [total, { ...shorter, line: total.line }, client]
}

function holdParts({ route: { hold }, method, part }: Scope): Part[] {
  if (hold === false || method !== 'GET') return []
  return [
    part('hold.upTo', `answered when ${hold.json} is none of ${hold.in.join(', ')}, or after ${writtenMs(hold.upTo)}`),
    part('hold.every', `asks the upstream every ${writtenMs(hold.every)}, once for all who ask the same`),
  ]
}

function rateParts({ upstream: { rate }, part }: Scope): Part[] {
  if (rate === false) return []
  const patience = rate.queueTimeout === undefined ? 'the deadline' : writtenMs(rate.queueTimeout)
  return [
    part(
      'rate',
      `${rate.requests} within any ${writtenMs(rate.per)}, retries included; the rest waits its turn, up to ${patience}, or is refused at once`,
    ),
  ]
}

function concurrencyParts({ upstream: { concurrency }, part }: Scope): Part[] {
  const { max, queue, queueTimeout, adaptive } = concurrency
  return [
    part('concurrency.max', `${max} at once${adaptive ? ' at most' : ''}`),
    ...(adaptive ? [part('concurrency.adaptive', 'fewer when latency says that they queue at the upstream')] : []),
    part('concurrency.queue', `${queue} more wait`),
    part('concurrency.queueTimeout', `up to ${writtenMs(queueTimeout)}; the rest gets 503`),
  ]
}

function collapseParts({ route: { collapse }, part }: Scope): Part[] {
  if (collapse === false) return []
  const headers = collapse === true ? 'with the same headers' : `with the same ${collapse.headers.join(', ')}`
  return [part('collapse', `one call for all who ask the same at the same time, ${headers}`)]
}

const resumeParts = ({ route: { resume }, method, part }: Scope): Part[] =>
  resume && method === 'GET' ? [part('resume', 'a body that breaks off goes on with Range and If-Range')] : []

function retryParts({ route: { retry }, upstream, part }: Scope): Part[] {
  if (retry.attempts === 1) return []
  const { initial, factor, max, jitter } = retry.backoff
  const { budget } = upstream.retry
  return [
    part('retry.backoff.initial', `waits ${writtenMs(initial)} before the second attempt`),
    part('retry.backoff.factor', `then ${factor} times as long each time`),
    part('retry.backoff.max', `up to ${writtenMs(max)}`),
    part('retry.backoff.jitter', `give or take ${Math.round(jitter * 100)} %`),
    part(
      'retry.respectRetryAfter',
      retry.respectRetryAfter ? 'or as long as Retry-After says, if longer' : 'whatever Retry-After says',
    ),
    part('retry.budget.ratio', `retries are ${Math.round(budget.ratio * 100)} % of requests at most`),
    part('retry.budget.minPerSecond', `and ${budget.minPerSecond} a second in any case`),
    part(
      'retry.bodyBuffer.memory',
      `${writtenBytes(retry.bodyBuffer.memory)} of a request body is kept in memory to be sent again`,
    ),
    part('retry.bodyBuffer.disk', `${writtenBytes(retry.bodyBuffer.disk)} more on disk`),
  ]
}

function hedgeParts({ route: { hedge }, part }: Scope): Part[] {
  if (hedge === false) return []
  const after = hedge.after === 'p95' ? 'slower than 95 % of the route' : `that takes over ${writtenMs(hedge.after)}`
  return [part('hedge', `up to ${hedge.max} more beside an attempt ${after}, from the budget of retries`)]
}

function connectionParts({ upstream: { connections, urls, balance }, part }: Scope): Part[] {
  const each = urls.length > 1 ? ' to each endpoint' : ''
  return [
    part('connections.max', `${connections.max} connections${each}`),
    part('connections.idle', `closed after ${writtenMs(connections.idle)} without use`),
    ...(urls.length > 1
      ? [
          part(
            'balance.slowStart',
            `the less loaded of two endpoints; full share ${writtenMs(balance.slowStart)} after one has recovered`,
          ),
        ]
      : []),
  ]
}

function breakerParts({ route, upstream, part }: Scope): Part[] {
  const breaker = route.breaker ?? upstream.breaker
  const { failureRate, slowCalls } = breaker
  const share = (threshold: number) => `${Math.round(threshold * 100)} %`
  return [
    part('breaker', route.breaker === undefined ? 'shared by the routes of the upstream' : "the route's own"),
    part('breaker.consecutiveFailures', `opens after ${breaker.consecutiveFailures} failures in a row`),
    ...(failureRate
      ? [
          part(
            'breaker.failureRate',
            `or over ${share(failureRate.threshold)} failures of ${failureRate.minimumRequests} or more attempts in ${writtenMs(failureRate.window)}`,
          ),
        ]
      : []),
    ...(slowCalls
      ? [
          part(
            'breaker.slowCalls',
            `or over ${share(slowCalls.threshold)} slower than ${writtenMs(slowCalls.slowerThan)} of ${slowCalls.minimumRequests} or more in ${writtenMs(slowCalls.window)}`,
          ),
        ]
      : []),
    part('breaker.failureStatus', `failures are ${breaker.failureStatus.join(', ')}, and no or no whole answer`),
    part('breaker.openFor', `then rejects for ${writtenMs(breaker.openFor)}`),
    part('breaker.openForMax', `twice as long each time, up to ${writtenMs(breaker.openForMax)}`),
    part('breaker.halfOpenProbes', `then lets ${breaker.halfOpenProbes} through at once`),
    part('breaker.closeAfter', `closes after ${breaker.closeAfter} that succeed`),
  ]
}

function failureWhenParts({ route: { failureWhen }, part }: Scope): Part[] {
  if (failureWhen === false) return []
  const once = failureWhen.oncePer === undefined ? 'each time' : `once for each {${failureWhen.oncePer}}`
  return [
    part('failureWhen', `a 200 whose ${failureWhen.json} is ${failureWhen.in.join(' or ')} is a failure, ${once}`),
  ]
}

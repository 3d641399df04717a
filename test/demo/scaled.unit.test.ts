import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { scaled } from '../../src/demo/scaled.ts'

/** @param times factor for every duration; rates are divided by it. */
function configOf(times: number) {
  const s = (seconds: number) => `${seconds * times}s`
  const defaults = {
    timeout: {
      connect: s(4),
      attempt: { observed: 'p99', times: 2, min: s(2), max: s(40) },
      total: { computed: 'all' },
      idle: s(60),
      useful: s(1),
      tunnel: s(3600),
    },
    retry: {
      backoff: { initial: s(2), max: s(10) },
      budget: { minPerSecond: 6 / times, window: s(40) },
    },
    breaker: {
      openFor: s(20),
      openForMax: s(200),
      patience: s(5),
      failureRate: { window: s(40) },
      slowCalls: { slowerThan: s(4), window: s(40) },
    },
    concurrency: { queueTimeout: s(4) },
    balance: { decay: s(40), slowStart: s(40) },
    rate: { requests: 9, per: s(60), queueTimeout: s(4) },
    hedge: { after: s(2), max: 1 },
  }
  const hold = { json: '/s', in: ['queued'], upTo: s(20), every: s(2) }
  const text = JSON.stringify({
    version: 1,
    timeouts: { all: { base: s(40), per: { items: s(2) }, min: s(20), max: s(60) } },
    job: { inputs: { items: { query: 'items', default: 1 } } },
    defaults,
    upstreams: {
      web: {
        url: 'http://127.0.0.1:9',
        health: { path: '/health', timeout: s(2), interval: s(20) },
        routes: [{ match: 'GET /a', hold, hedge: { after: s(4), max: 1 }, breaker: { openFor: s(30) } }],
      },
    },
  })
  const loaded = loadConfig(text, 'scaled.yaml', {})
  if (!loaded.ok) throw new Error(loaded.faults.map(({ path, message }) => `${path}: ${message}`).join('\n'))
  return loaded.config
}

test('demo: scaled() halves the durations of policies and timeouts, and doubles rates', () => {
  const { upstreams, timeouts } = scaled(configOf(2), 1 / 2)
  expect({ upstreams, timeouts }).toEqual({ upstreams: configOf(1).upstreams, timeouts: configOf(1).timeouts })
})

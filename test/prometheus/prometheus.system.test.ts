/** A real Prometheus scrapes the sidecar while one of the demo's services has an outage. */

import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { systemClock } from '../../src/clock.ts'
import { supervise } from '../../src/demo/supervised.ts'
import { ask } from '../support/client.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0
const RULES = join(import.meta.dirname, '../../config/prometheus/rules.yaml')

type Answer = { readonly data: { readonly result: { metric: Record<string, string>; value: [number, string] }[] } }

/** Prometheus with the shipped rules. Alerts fire after 1 s instead of minutes, and look back as far. */
async function startPrometheus(t: TestContext, target: string) {
  const folder = temporaryFolder(t)
  const rules = parse(readFileSync(RULES, 'utf8'))
  const sooner = (expression: string) =>
    expression.replaceAll('_state[1m]', '_state[1s]').replaceAll(/\[(?:15|30)m\]/g, '[3s]')
  const quick = (rule: { for?: string; expr: string }) => ({
    ...rule,
    ...(rule.for === undefined ? {} : { for: '1s', expr: sooner(rule.expr) }),
  })
  for (const group of rules.groups) group.rules = group.rules.map(quick)
  writeFileSync(join(folder, 'rules.yaml'), stringify(rules))
  const config = {
    global: { scrape_interval: '250ms', scrape_timeout: '250ms', evaluation_interval: '250ms' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'breakwater', static_configs: [{ targets: [target] }] }],
  }
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config))
  const port = await freePort()
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      '--log.level=error',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const ended = new Promise((resolve) => child.once('exit', resolve))
  t.onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const get = async (path: string, parameters: Record<string, string> = {}) =>
    JSON.parse(
      (await ask(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(parameters)}`)).body.toString(),
    )
  const query = async (expression: string): Promise<Answer> => get('query', { query: expression })
  await until(() =>
    ask(`http://127.0.0.1:${port}/-/ready`).then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
  return { get, query, rules }
}

needs('prometheus', hasPrometheus)

test.runIf(hasPrometheus)(
  'the breaker alert fires in an outage and resolves after it, and every rule expression can be queried',
  { timeout: 60_000 },
  async (t) => {
    const service = await supervise(
      { kind: 'search', port: 0, pollsToFinish: 1, blockMs: 1, fileBytes: 1, faults: {} },
      1,
    )
    t.onTestFinished(() => service.stop())
    const proxy = await startProxy(t, {
      clock: systemClock,
      defaults: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, openFor: '300ms', openForMax: '300ms' } },
      upstreams: {
        search: { url: service.url, listen: '127.0.0.1:0' },
        away: { url: `http://127.0.0.1:${await freePort()}`, listen: '127.0.0.1:0' },
      },
    })
    const prometheus = await startPrometheus(t, new URL(proxy.controlUrl).host)
    const firing = async () => {
      const { data } = await prometheus.query('ALERTS{alertname="BreakwaterBreakerOpen",alertstate="firing"}')
      return data.result.map(({ metric }) => metric.upstream)
    }
    const calls = async () => {
      for (const name of ['search', 'away']) await ask(`${proxy.own(name)}/search/shorts?query=x`, { method: 'POST' })
    }
    await until(async () => {
      await calls()
      return (await firing()).includes('away')
    })
    expect(await firing()).toEqual(['away'])
    const states = await prometheus.query('breakwater_requests_total{upstream="search",class="2xx"}')
    expect(Number(states.data.result[0]?.value[1])).toBeGreaterThan(0)
    // No calls from here on: the breaker is no longer open after openFor, so the alert resolves.
    await until(async () => (await firing()).length === 0)
    for (const { alert, record, expr } of prometheus.rules.groups[0].rules) {
      expect([alert ?? record, await prometheus.get('query', { query: expr })]).toMatchObject([
        alert ?? record,
        { status: 'success' },
      ])
    }
    const { data } = await prometheus.get('query_exemplars', {
      query: 'breakwater_request_duration_seconds_bucket',
      start: String(Date.now() / 1000 - 60),
      end: String(Date.now() / 1000),
    })
    const known = new Set(proxy.log.filter(({ msg }) => msg === 'request').map(({ request_id: id }) => id))
    const told = data.flatMap(({ exemplars }: { exemplars: { labels: { request_id: string } }[] }) =>
      exemplars.map(({ labels }) => labels.request_id),
    )
    expect(told.length).toBeGreaterThan(0)
    expect(told.filter((id: string) => !known.has(id))).toEqual([])
  },
)

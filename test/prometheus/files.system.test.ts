/** Checks the rules, alerts and dashboard that an operator copies against the existing metrics. */

import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricsPage } from '../../docs/print-metrics.ts'
import { createMetrics } from '../../src/control/metrics/metrics.ts'
import { EMPTY } from '../control/samples.ts'
import { needs } from '../support/needs.ts'

const root = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const run = promisify(execFile)
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

type Rule = {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly annotations?: Record<string, string>
}
const rules: Rule[] = parse(read('config/prometheus/rules.yaml')).groups.flatMap(
  ({ rules: all }: { rules: Rule[] }) => all,
)
const dashboard = JSON.parse(read('config/grafana/dashboard.json'))

/** Breakwater metrics in an expression, without the histogram suffixes _bucket, _sum and _count. */
const namesIn = (expression: string) =>
  [...expression.matchAll(/\bbreakwater_\w+/g)].map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ''))

/** Every name that a scrape announces. */
async function announced(): Promise<Set<string>> {
  const { body } = await createMetrics({ service: 's', version: '1' }, () => EMPTY, { wallNow: () => 0 }).scrape('')
  return new Set([...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name))
}

test('every metric that an alert, a rule or the dashboard names exists', async () => {
  const expressions = [
    ...rules.map(({ expr }) => expr),
    ...JSON.stringify(dashboard).matchAll(/"expr":"((?:[^"\\]|\\.)*)"/g),
  ].map(String)
  const named = new Set(expressions.flatMap(namesIn))
  expect(named.size).toBeGreaterThan(25)
  const known = await announced()
  expect([...named].filter((name) => !known.has(name))).toEqual([])
})

test('each alert has its paragraph in the runbook', () => {
  const headings = [...read('docs/runbook.md').matchAll(/^## (\w+)$/gm)].map(([, name = '']) => name)
  const alerts = rules.flatMap(({ alert, annotations }) =>
    alert === undefined ? [] : [{ alert, url: annotations?.runbook_url }],
  )
  expect(alerts.map(({ url }) => url)).toEqual(headings.map((name) => `docs/runbook.md#${name.toLowerCase()}`))
  expect(alerts.map(({ alert }) => alert)).toEqual(headings)
})

test('docs/metrics.md is up to date', () => {
  expect(read('docs/metrics.md')).toBe(metricsPage())
})

test('the panels of the dashboard do not overlap, and their ids and titles are unique', () => {
  type Panel = {
    readonly id: number
    readonly title: string
    readonly gridPos: { x: number; y: number; w: number; h: number }
  }
  const panels: Panel[] = dashboard.panels
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
})

needs('prometheus', hasPromtool)

test.runIf(hasPromtool)('promtool accepts the rules, and the tests of the alerts pass', async () => {
  const cwd = join(root, 'config/prometheus')
  expect((await run('promtool', ['check', 'rules', 'rules.yaml'], { cwd })).stdout).toContain('SUCCESS: 21 rules')
  expect((await run('promtool', ['check', 'config', 'prometheus.yml'], { cwd })).stdout).toContain('SUCCESS')
  expect((await run('promtool', ['test', 'rules', 'rules.test.yaml'], { cwd })).stdout).toContain('SUCCESS')
})

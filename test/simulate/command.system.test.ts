import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { atFullScale } from '../../src/demo/full-scale.ts'
import { breakwater } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const CONFIG = 'upstreams: { api: { url: "http://api" } }\n'
const LINES = [0, 1, 2, 3]
  .map((second) => ({
    time: `2026-01-01T00:00:0${second}.020Z`,
    upstream: 'api',
    route: '*',
    method: 'GET',
    path: '/a',
    status: second === 2 ? 500 : 200,
    attempts: 1,
    queue_ms: 0,
    first_byte_ms: 20,
    total_ms: 20,
    msg: 'request',
  }))
  .map((line) => `${JSON.stringify(line)}\n`)
  .join('')

function files(t: Scope) {
  const folder = temporaryFolder(t)
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  return { folder, file, config: file('new.yaml', CONFIG), log: file('access.jsonl', LINES) }
}

test('simulate --log: prints recorded and simulated figures side by side, with the assumptions', async (t) => {
  const { config, log } = files(t)
  const { code, stdout, stderr } = await breakwater(t, ['simulate', '--config', config, '--log', log]).ended
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/recorded +\S+new\.yaml\n/)
  expect(stdout).toMatch(/^requests +4 +4$/m)
  expect(stdout).toMatch(/^ {4}500 +1 +1$/m)
  expect(stdout).toMatch(/^as recorded +- +100\.00 %$/m)
  expect(stdout).toContain('would have been answered as the call to that upstream nearest in time was')
})

test('simulate: reads a log from stdin, and writes JSON and an HTML page without external resources', async (t) => {
  const { folder, file, config } = files(t)
  const other = file('old.yaml', CONFIG)
  const html = join(folder, 'plot.html')
  const args = ['--config', config, '--against', other, '--log', '-', '--json', '--html', html, '--seed', '7']
  const command = breakwater(t, ['simulate', ...args])
  command.child.stdin?.end(`${LINES}{"msg":"request"`)
  const { code, stdout } = await command.ended
  expect(code).toBe(0)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({
    source: '-',
    seed: 7,
    remarks: ['1 lines of the log are not whole, and were passed over.'],
  })
  expect(report.runs).toMatchObject([
    { name: 'recorded', figures: { requests: 4 } },
    { name: other, versusRecorded: { same: 4 } },
    { name: config, versusRecorded: { same: 4 }, versusOther: { requests: 4, same: 4, saved: 0, lost: 0 } },
  ])
  const page = readFileSync(html, 'utf8')
  expect(page).toMatch(/^<!doctype html>[\s\S]*<svg [\s\S]*<\/html>\n$/)
  expect(page).not.toMatch(/https?:|<script|src=|@import|NaN|undefined/)
})

test('simulate --scenario: runs without a log', async (t) => {
  const { file, config } = files(t)
  const scenario = file(
    'outage.yaml',
    'lasts: 10s\ntraffic: [{ upstream: api, request: GET /, rate: 5 }]\nupstreams: { api: { latency: { p50: 1ms, p99: 2ms } } }\n',
  )
  const { code, stdout } = await breakwater(t, ['simulate', '--config', config, '--scenario', scenario]).ended
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^requests +\d+$/m)])
})

test.for([
  [['--log', 'x'], /--config: expected a file/],
  [['--config', 'x'], /either --log or --scenario/],
  [['--config', 'x', '--log', 'x', '--scenario', 'x'], /either --log or --scenario/],
  [['--config', 'x', '--log', 'x', '--unseen', 'maybe'], /--unseen: expected nearest, ok or fail/],
  [['--config', 'x', '--log', 'x', '--late', '5'], /--late: expected never or a duration/],
  [['--config', 'x', '--log', 'x', '--seed', '-1'], /--seed/],
  [['--config', '/nowhere.yaml', '--log', 'x'], /nowhere\.yaml: cannot be read/],
] as const)('simulate: the arguments %j are refused', async ([args, why], t) => {
  const { code, stderr } = await breakwater(t, ['simulate', ...args]).ended
  expect([code, stderr]).toEqual([2, expect.stringMatching(why)])
})

test('simulate: a faulty configuration or scenario, and a missing or empty log, exit with 2', async (t) => {
  const { folder, file, config } = files(t)
  const faulty = file('faulty.yaml', 'upstrems: {}\n')
  const run = async (...args: string[]) => (await breakwater(t, ['simulate', ...args]).ended).code
  expect(await run('--config', faulty, '--log', 'x')).toBe(2)
  expect(await run('--config', config, '--log', join(folder, 'none'))).toBe(2)
  expect(await run('--config', config, '--log', file('empty', '{"msg":"drained"}\n'))).toBe(2)
  expect(await run('--config', config, '--scenario', file('s.yaml', 'lasts: 1s\n'))).toBe(2)
})

test('demo: a missing configuration exits with 2', async (t) => {
  const { code, stdout } = await breakwater(t, ['demo', '--config', '/nowhere.yaml']).ended
  expect([code, stdout]).toEqual([2, expect.stringContaining('/nowhere.yaml')])
})

test('demo: atFullScale scales the times of a log line and of its attempts up to real durations', () => {
  const line = {
    time: '2026-01-01T00:00:01.000Z',
    status: 200,
    total_ms: 10,
    history: [{ at_ms: 0.5, ms: 2, outcome: '503' }],
  }
  expect(JSON.parse(atFullScale(JSON.stringify(line), Date.UTC(2026, 0, 1), 1 / 20))).toEqual({
    time: '2026-01-01T00:00:20.000Z',
    status: 200,
    total_ms: 200,
    history: [{ at_ms: 10, ms: 40, outcome: '503' }],
  })
})

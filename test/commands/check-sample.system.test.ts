import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { breakwater, configFile } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const FILE = `upstreams:
  api:
    url: http://api:8000
    routes:
      - match: GET /jobs/{id}
        hold: { json: /status, in: [queued], upTo: 20s, every: 2s }
        failureWhen: [{ json: /error, exists: true }, { header: x-state, in: [failed] }]
        completedWhen: { all: [{ json: /outputs, exists: true }, { not: { json: /outputs, empty: true } }] }
      - match: GET /plain
  other: { url: http://other:8000, routes: [{ match: GET /plain }] }
`

async function checked(t: Scope, sample: string, ...options: string[]) {
  const body = join(temporaryFolder(t), 'response.json')
  writeFileSync(body, sample)
  const { code, stdout, stderr } = await breakwater(t, ['check', configFile(t, FILE), '--sample', body, ...options])
    .ended
  return { code, stdout, stderr }
}

test('check --sample: says what each rule of the route makes of the response, and why', async (t) => {
  const route = ['--route', 'GET /jobs/7']
  const told = await checked(t, '{"status":"Queued","outputs":[]}', ...route, '--header', 'X-State: Failed', '--strict')
  expect([told.code, told.stderr]).toEqual([0, ''])
  expect(told.stdout).toBe(`GET /jobs/{id} of api [line 5], for a 200 with 32 bytes
  hold.while [line 6]: holds: /status is queued: it is "Queued"
  failureWhen [line 7]: holds: any of
    does not hold: /error is there: it is not there
    holds: the field x-state is failed: it is "Failed"
  completedWhen [line 8]: does not hold: all of
    holds: /outputs is there: it is []
    does not hold: not
      holds: /outputs is empty: it is []
`)
  const refused = await checked(t, '{"status":"queued"}', ...route, '--status', '503')
  expect(refused.stdout).toContain('hold.while [line 6]: does not hold: /status is queued: it names no status')
})

test('check --sample: an unknown verdict exits with 1 under --strict', async (t) => {
  const route = ['--route', 'GET /jobs/{id}', '--json']
  const [plain, strict] = [await checked(t, '{"status', ...route), await checked(t, '{"status', ...route, '--strict')]
  expect([plain.code, strict.code]).toEqual([0, 1])
  expect(JSON.parse(plain.stdout)).toMatchObject({
    upstream: 'api',
    match: 'GET /jobs/{id}',
    status: 200,
    rules: [
      { rule: 'hold.while', line: 6, finding: { verdict: 'unknown' } },
      { rule: 'failureWhen', line: 7, finding: { verdict: 'unknown' } },
      { rule: 'completedWhen', line: 8, finding: { verdict: 'unknown' } },
    ],
  })
})

test.for<[options: string[], message: string]>([
  [['--route', 'GET /nowhere'], 'there is no route GET /nowhere'],
  [['--route', 'GET /plain', '--upstream', 'no'], 'there is no upstream no; there are api, other'],
  [['--route', 'GET /plain'], 'api and other have GET /plain: name the upstream'],
  [[], '--sample needs --route'],
  [['--route', 'GET /plain', '--status', '20'], '--status: expected a status such as 200'],
  [['--route', 'GET /plain', '--header', 'x'], '--header x: expected NAME: VALUE'],
])('check --sample %j: exits with 2', async ([options, message], t) => {
  const { code, stderr } = await checked(t, '{}', ...options)
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
})

test('check --sample: a route without rules says so', async (t) => {
  const { code, stdout } = await checked(t, '{}', '--route', 'GET /plain', '--upstream', 'other')
  expect([code, stdout]).toEqual([0, expect.stringContaining('no hold, failureWhen or completedWhen')])
})

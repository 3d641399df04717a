/** What `POST /v1/simulate` answers, without its thread. */

import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { answerTo } from '../../src/simulate/asked/answer.ts'

const SCENARIO = `lasts: 10s
traffic: [{ upstream: web, request: GET /x, rate: 5 }]
upstreams: { web: { latency: { p50: 20ms, p99: 50ms } } }`
const FILE = 'upstreams:\n  web: { url: "http://${WEB_HOST}/", retry: { attempts: 2 } }\n'
const ENV = { WEB_HOST: 'web.example', DATABASE_PASSWORD: 'hunter2' }

async function answer(order: unknown, text = FILE) {
  const loaded = loadConfig(FILE, 'in-force.yaml', ENV)
  if (!loaded.ok) throw new Error('the configuration in force is faulty')
  const body = [Buffer.from(typeof order === 'string' ? order : JSON.stringify(order))]
  return answerTo({ body, present: { config: loaded.config, version: 'v1', text } }, ENV)
}

test.each([
  ['{', 400, /^the body is not JSON/],
  [{}, 400, /either a log or a scenario/],
  [{ log: 'x', scenario: SCENARIO }, 400, /either a log or a scenario/],
  [{ scenario: SCENARIO, changes: '', config: '' }, 400, /either changes or a whole config/],
  [{ scenario: SCENARIO, late: 'soon' }, 400, /^late: expected never or a duration/],
  [{ log: 'nothing' }, 422, /no line of a request: log.access has to be on/],
  [{ scenario: 'lasts: 5x' }, 422, /the scenario has faults/],
  [{ scenario: SCENARIO, changes: ': [' }, 422, /the changes cannot be read/],
])('simulate: %j is refused in words', async (order, status, detail) => {
  expect(await answer(order)).toMatchObject({ ok: false, status, detail: expect.stringMatching(detail) })
})

test.each([
  ['upstreams: { web: { breakr: 1 } }', 'upstreams.web.breakr', /did you mean "breaker"/],
  ['upstreams: { web: { url: "http://${DATABASE_PASSWORD}/" } }', '', /DATABASE_PASSWORD is not set/],
])(
  'simulate: faults of the change %s are named; the file in force decides which variables it may use',
  async (changes, path, message) => {
    const faults = [{ line: null, path, message: expect.stringMatching(message) }]
    expect(await answer({ scenario: SCENARIO, changes })).toMatchObject({ ok: false, status: 422, faults })
  },
)

test('simulate: null removes a setting, a list replaces one, and a whole configuration needs no file', async () => {
  const named = async (order: object, text?: string) => {
    const given = await answer({ scenario: SCENARIO, ...order }, text)
    return given.ok ? JSON.parse(given.json).rows[0] : given.detail
  }
  expect(await named({ changes: 'upstreams: { web: { retry: null } }' })).toEqual(['', 'in force', 'changed'])
  expect(await named({ changes: 'upstreams: { web: null }' })).toMatch(/has faults/)
  expect(await named({ changes: 'log: { access: true }' }, '')).toMatch(/comes from no file/)
  expect(await named({ config: 'upstreams: { web: { url: "http://other.example" } }' }, '')).toHaveLength(3)
})

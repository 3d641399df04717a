import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { incidentsCommand } from '../../src/commands/remote/incidents.ts'
import type { HistoryView, IncidentView } from '../../src/dashboard/shapes.ts'
import { EPOCH_MS, fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'
import { captured } from '../support/captured.ts'
import { hasChromium, launch, openPage } from '../support/browser.ts'
import { needs } from '../support/needs.ts'
import { type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

needs('chromium', hasChromium)

const HOUR_MS = 3_600_000
const JUST_FAIL = { retry: { attempts: 1 }, breaker: { openFor: '4s', openForMax: '4s', patience: '0ms' } }

/** Runs a command as the process does. @returns what it printed. */
async function printed(...args: string[]): Promise<string> {
  const { out, surroundings } = captured()
  expect(await incidentsCommand.run(args, surroundings)).toBe(0)
  expect(out.stderr).toBe('')
  return out.stdout
}

test('incidents: an outage at 03:00 is told at 09:00 after a restart, by page, API, command and the log alone', async (t) => {
  const folder = temporaryFolder(t)
  const clock = fakeClock()
  clock.jumpWall(3 * HOUR_MS)
  const upstream = await scriptedUpstream(t, clock, [
    ...Array.from({ length: 3 }, () => ({})),
    ...Array.from({ length: 4 }, () => ({ status: 503 })),
    'reset', // on a connection that was kept: not an attempt
    'reset',
    'reset', // the probe
    {},
  ])
  const options = {
    clock,
    upstreams: { web: { url: upstream.origin, ...JUST_FAIL, routes: [{ match: 'GET /jobs/{id}' }] } },
    top: { checkpoints: { store: `file:${folder}` } },
  }
  const night = await startProxy(t, options)
  const call = (path: string) => fetch(`${night.url}/web${path}`).then((response) => response.status)
  for (let i = 0; i < 3; i += 1) expect(await call('/jobs/1')).toBe(200)
  for (let i = 0; i < 4; i += 1) expect(await call(`/jobs/${i}`)).toBe(503)
  await clock.advance(1_000)
  expect(await call('/list')).toBe(502)
  expect(await call('/jobs/9')).toBe(503)
  expect(await call('/jobs/9')).toBe(503)
  await clock.advance(5_000)
  expect(await call('/jobs/10')).toBe(502)
  expect(await call('/jobs/10')).toBe(503)
  await clock.advance(5_000)
  expect(await call('/jobs/11')).toBe(200)
  // The thread of the store has its own time: each second waits for an answer of it.
  for (let second = 0; second < 40; second += 1) {
    await clock.advance(1_000)
    await (await fetch(`${night.controlUrl}/v1/history`)).text()
  }
  await night.app.close()

  await clock.advance(6 * HOUR_MS)
  const day = await startProxy(t, options)
  const { incidents } = (await (await fetch(`${day.controlUrl}/v1/incidents`)).json()) as { incidents: IncidentView[] }
  expect(incidents).toMatchObject([
    {
      id: 'web-20260101T030001Z',
      kind: 'upstream',
      upstream: 'web',
      state: 'ended',
      started_at: '2026-01-01T03:00:01.000Z',
      ended_at: '2026-01-01T03:00:11.000Z',
      duration_s: 10,
      summary: 'web was down for 10 s: 4 × 503, 2 × reset. Of its requests 6 failed, 3 were refused.',
      causes: [
        { cause: '503', count: 4, example: { method: 'GET', path: '/web/jobs/0', status: 503, reason: null } },
        {
          cause: 'reset',
          count: 2,
          example: { path: '/web/list', status: 502, reason: 'reset', history: [{ outcome: 'reset' }] },
        },
      ],
      routes: [
        { route: 'GET /jobs/{id}', failed: 5, refused: 3 },
        { route: '*', requests: 1, failed: 1, refused: 0 },
      ],
      cost: { failed: 6, refused: 3, retried: 0, saved: 0, open_s: 8.4 },
      advice: { runbook: 'docs/runbook.md#breakwaterbreakeropen' },
    },
  ])

  for (const { example } of incidents[0]?.causes ?? []) {
    const asked = await fetch(`${day.controlUrl}/v1/requests/${example?.request_id}`)
    expect(await asked.json(), 'an example is kept as long as its incident').toEqual(example)
  }

  const log = join(folder, 'access.jsonl')
  const lines = [...night.log, ...day.log].map((line) => JSON.stringify(line)).join('\n')
  writeFileSync(log, `${lines}\n`)
  expect(JSON.parse(await printed('--log', log, '--json')).incidents).toEqual(incidents)
  const id = incidents[0]?.id ?? ''
  const told = await printed(id, '--url', day.controlUrl)
  expect(await printed(id, '--log', log)).toBe(told)
  expect(told).toContain('  4 × 503: HTTP 503 from the upstream\n      03:00:00.000 GET /web/jobs/0 → 503 after 0 s')
  expect(told).toContain('what to do: Look at the upstream')

  const from = EPOCH_MS / 1000 + 3 * 3600
  const asked = await fetch(`${day.controlUrl}/v1/history?from=${from}&to=${from + 120}&step=1m`)
  const history = (await asked.json()) as HistoryView
  expect(history.upstreams.web).toMatchObject({
    requests: [13, null],
    failures: [6, null],
    refusals: [3, null],
    open_s: [8.4, null],
  })

  if (hasChromium && incidents[0] !== undefined) await readOnPage(t, day.controlUrl, incidents[0])
})

/** What the page shows: on its first screen, and on the incident's own, each as the answer of the API has it. */
async function readOnPage(t: Scope, url: string, incident: IncidentView): Promise<void> {
  const { id, summary, causes, routes, cost, signs, advice } = incident
  const browser = await launch()
  t.onTestFinished(() => browser.close())
  const { page, problems } = await openPage(t, browser, url)
  const line = page.locator('#incidents a')
  await line.waitFor()
  expect([await line.textContent(), await line.getAttribute('href')]).toEqual([summary, `#/incidents/${id}`])
  await page.locator('#lanes [aria-label^="web, last 24 hours: 1 incident, open 8.4 s, 6 failed, 3 refused"]').waitFor()
  await line.click()
  const view = page.locator(`[data-incident="${id}"]`)
  await view.waitFor()
  const texts = async (selector: string) => view.locator(selector).allTextContents()
  expect(await texts('.lead')).toEqual([summary])
  const [card] = await texts('.card >> nth=0')
  expect(card).toContain('Since 1 Jan 2026 03:00:01, until 1 Jan 2026 03:00:11: 10 s; configuration ')
  expect(card).toContain(`${cost.failed} failed, ${cost.refused} refused; breaker open for 8.4 s.`)
  expect(card).toContain(`What to do: ${advice.text}`)
  expect(await texts('.rows > li > .times')).toEqual(causes.map(({ count }) => `${count} × `))
  expect(await texts('.rows > li > .cause')).toEqual(causes.map(({ text }) => text))
  expect(await texts('.signs > li')).toEqual(signs.map(({ text }) => expect.stringContaining(text)))
  expect(await texts('code')).toEqual(expect.arrayContaining(routes.map(({ route }) => route)))
  expect(problems).toEqual([])
}

/** The page in a real browser, served by a real sidecar. */

import { describe, expect, test } from 'vitest'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { hasChromium, PHONE } from '../support/browser.ts'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { pages } from './pages.ts'
import { FAILS, withPage } from './with-page.ts'

needs('chromium', hasChromium)

describe.skipIf(!hasChromium)('the page', () => {
  const open = pages()

  test("an upstream's view shows the figures of the metrics, and requests nothing from any other host", async (t) => {
    const fixture = await withPage(t, [{ body: 'ok' }, { body: 'ok' }, { status: 500 }, { body: 'ok' }])
    const { clock, proxy } = fixture
    for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/x`)
    const { page, problems, asked } = await open(t, fixture, '#/upstreams/web')
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    const view = page.locator('#upstream-place')
    await view.locator('[data-plot="rate"] .value', { hasText: '5' }).first().waitFor()
    const metrics = await proxy.metrics()
    const sum = (name: string, matches: RegExp) =>
      [...metrics]
        .filter(([key]) => key.startsWith(`${name}{`) && matches.test(key))
        .reduce((n, [, value]) => n + value, 0)
    const fact = (name: string) => view.locator(`[data-fact="${name}"]`).textContent()
    const requests = sum(METRICS.requests.name, /upstream="web"/)
    expect(requests).toBe(5)
    expect(await fact('requests')).toBe(String(requests))
    expect(await fact('attempts')).toBe(String(sum(METRICS.attempts.name, /upstream="web"/)))
    expect(await fact('failed')).toBe(String(sum(METRICS.requests.name, /upstream="web".*class="5xx"/)))
    expect(await fact('retry_budget')).toBe(String(sum(METRICS.retryBudget.name, /upstream="web"/)))
    expect(await view.locator('[data-plot="rate"] .value').allTextContents()).toEqual(['5', '5', '1'])
    expect(await view.locator('[data-plot="errors"] .value').textContent()).toBe('20 %')
    expect(problems).toEqual([])
    expect(asked.filter((url) => !url.startsWith(proxy.controlUrl) && !url.startsWith('data:'))).toEqual([])
  })

  test('a breaker that opens is told in the sentence, the title, its line and its view; causes before effects', async (t) => {
    const fixture = await withPage(t, [FAILS])
    const { clock, proxy } = fixture
    const { page, problems } = await open(t, fixture)
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(2_500)
    await page.getByText('no request in the last 2 s').waitFor()
    for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(2_000)
    const what = page.getByRole('link', { name: /^web is down \(3 × HTTP 503\)/ })
    await what.waitFor()
    await page.locator('#upstream-lines li').first().getByText('down', { exact: true }).waitFor()
    expect(await page.title()).toMatch(/^\(!\) web is down \(3 × HTTP 503\) since .* – Breakwater$/)
    await page.getByText(/web: breaker open$/).waitFor({ state: 'attached' })
    await what.first().click()
    const view = page.locator('#upstream-place')
    await view.locator('.causes li').nth(1).waitFor()
    expect(await view.locator('.causes .cause').allTextContents()).toEqual([
      'HTTP 503',
      'breaker_open: refused meanwhile, an effect',
    ])
    await view.getByText('No job is known of it.').waitFor()
    await view.getByText('Breaker transitions').click()
    await view.getByText(/all routes: closed → open \(consecutive\), for 10 s/).waitFor()
    await view.getByRole('img', { name: /^Breaker over the last minutes: opened 1 time, open \d/ }).waitFor()
    await page.goBack()
    await page.locator('#lanes').waitFor()
    expect(problems).toEqual([])
  })

  test('an upstream that recovered and is not called is told as that, in grey, and alarms nobody', async (t) => {
    const fixture = await withPage(t, [FAILS])
    const { clock, proxy } = fixture
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(400_000)
    // The store's thread could not answer within a leap of the clock, and is started anew.
    const isHealthy = async () => {
      await clock.advance(1_000)
      return JSON.parse((await ask(`${proxy.controlUrl}/v1/health`)).body.toString()).checks.checkpoint_store.healthy
    }
    await expect.poll(isHealthy).toBe(true)
    const { page } = await open(t, fixture)
    await clock.advance(1_000)
    const line = page.locator('#upstream-lines [data-upstream="web"]')
    await line.locator('.badge[data-look=calm]', { hasText: 'not called since' }).waitFor()
    await page.locator('#sentence[data-tone=well]', { hasText: 'web failed and has not been called since' }).waitFor()
    expect([await page.title(), await page.locator('#news').textContent()]).toEqual(['Breakwater', ''])
  })

  test("an upstream's view has the Retry-After in force, and the number of requests that were not kept", async (t) => {
    const limited = { status: 429, headers: { 'retry-after': '20' } }
    const fixture = await withPage(t, [limited, { body: 'ok' }])
    const { clock, proxy } = fixture
    await ask(`${proxy.own('web')}/x`)
    const waiting = ask(`${proxy.own('web')}/x`)
    for (let i = 0; i < 103; i += 1) await ask(`${proxy.own('web')}/plain`)
    const { page } = await open(t, fixture, '#/upstreams/web')
    await page.getByText('GET /x: asked to be left alone for 20 s more (Retry-After), 1 request waits').waitFor()
    await page.getByText(/^Not here: 3 requests since the start\./).waitFor()
    await clock.advance(20_000)
    expect((await waiting).status).toBe(200)
    await page.locator('.pauses li').waitFor({ state: 'detached' })
  })

  test("an incident's page goes on with the incident, and leaves a link that has the focus where it is", async (t) => {
    const fixture = await withPage(t, [FAILS])
    const { clock, proxy } = fixture
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/x`)
    const { incidents } = JSON.parse((await ask(`${proxy.controlUrl}/v1/incidents`)).body.toString())
    const { page } = await open(t, fixture, `#/incidents/${incidents[0].id}`)
    await page.getByText('the breaker opened after failures in a row').waitFor()
    const probe = async () => {
      await clock.advance(10_000)
      await ask(`${proxy.own('web')}/x`)
    }
    await probe()
    await page.getByText('the breaker opened again').waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('view-title')
    await page.getByRole('link', { name: 'web now' }).focus()
    const heard = page.waitForResponse(/v1\/incidents$/)
    await probe()
    await heard
    expect(await page.evaluate('document.activeElement.textContent')).toBe('web now')
  })

  test("a request's own page has its attempts, why no retry followed, a curl and a permalink; paths are never HTML", async (t) => {
    const fixture = await withPage(t, ['reset'])
    await ask(`${fixture.proxy.own('web')}/%3Cimg%20src=x%20onerror=alert(1)%3E`, { method: 'POST' })
    const { page, problems } = await open(t, fixture, '#/requests')
    await page.locator('[data-request]').click()
    await page.getByText(/Ended with reset \(502\) by the sidecar/).waitFor()
    await page.getByText('No further retry: all attempts that retry.attempts allows were made.').waitFor()
    expect(await page.locator('.attempts .outcome').allTextContents()).toEqual(['reset'])
    const curl = await page.locator('.curl').textContent()
    expect(curl).toBe("curl -i -X POST 'http://127.0.0.1:0/%3Cimg%20src=x%20onerror=alert(1)%3E'")
    expect(await page.locator('img').count()).toBe(0)
    await page.reload()
    await page.getByText('No further retry:').waitFor()
    expect(await page.locator('.curl').textContent()).toBe(curl)
    await page.getByRole('link', { name: 'Explain', exact: true }).last().click()
    await page.locator('.answer', { hasText: 'policies, in the order' }).waitFor()
    await page.goto(`${fixture.proxy.controlUrl}/#/requests/unknown`)
    await page.getByText(/Request unknown: no such request among those that are kept/).waitFor()
    expect(problems.filter((text) => !text.includes('404'))).toEqual([])
  })

  test('a breaker is forced with the keyboard alone, for a time and with a reason, which all can read', async (t) => {
    const fixture = await withPage(t)
    const { clock, upstream, proxy } = fixture
    const { page, problems } = await open(t, fixture, '#/upstreams/web')
    const button = page.getByRole('button', { name: 'Force a breaker of web' })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect((await ask(`${proxy.own('web')}/x`)).status).toBe(200)
    expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toBe('Force a breaker of web')
    await page.keyboard.press('Enter')
    await page.getByRole('radio', { name: /Forced open/ }).focus()
    await page.keyboard.press('Space')
    await page.getByLabel('Reason').fill('index rebuilt')
    await page.getByLabel('Your name').fill('ada')
    await page.keyboard.press('Enter')
    await page.getByText('web: breaker set to forced-open for 30m').waitFor()
    await page.getByText(/all routes: forced open by ada, since .*, until .*: “index rebuilt”/).waitFor()
    await clock.advance(1_000)
    await page.locator('#sentence', { hasText: 'web is forced open by ada, until' }).waitFor()
    expect([(await ask(`${proxy.own('web')}/x`)).status, upstream.arrivals.length]).toEqual([503, 1])
    await page.keyboard.press('f')
    await page.getByRole('radio', { name: /Automatic/ }).check()
    expect(await page.getByLabel('Reason').isVisible()).toBe(false)
    await page.getByRole('button', { name: 'Set the breaker' }).click()
    await page.getByText('web: breaker set to auto').waitFor()
    expect((await ask(`${proxy.own('web')}/x`)).status).toBe(200)
    await expect(problems).toEqual([])
  })

  test('one of several breakers of an upstream is forced without the others; the outcome is visible below', async (t) => {
    const fixture = await withPage(t)
    const { proxy } = fixture
    const { page } = await open(t, fixture, '#/upstreams/with-routes', PHONE)
    const force = async (which: string, mode: RegExp, end: string) => {
      await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
      await page.getByLabel('Which breaker').selectOption(which)
      const checked = await page.locator('dialog :checked[type=radio]').getAttribute('value')
      await page.getByRole('radio', { name: mode }).check()
      await page.getByLabel('Automatic again').selectOption(end)
      await page.getByRole('button', { name: 'Set the breaker' }).click()
      return checked
    }
    expect(await force('GET /own', /Observe only/, 'in 2 hours')).toBe('auto')
    await page.getByText('GET /own: closed, observed only').waitFor()
    expect(await modesOf(proxy.controlUrl)).toEqual([['auto'], ['auto', 'observe']])
    expect(await page.evaluate("document.getElementById('outcome').getBoundingClientRect().bottom")).toBe(PHONE.height)
    expect(await force('all routes but GET /own', /Forced closed/, 'never by itself')).toBe('auto')
    await page
      .getByText(/all routes but GET \/own: forced closed by somebody, since .*, without an end: no reason given/)
      .waitFor()
    expect(await modesOf(proxy.controlUrl)).toEqual([['auto'], ['forced-closed', 'observe']])
  })

  test('requests are live, filtered, and stay in place while one of them has the focus; a pause holds all', async (t) => {
    const fixture = await withPage(t, ['reset', 'reset', { body: 'ok' }])
    const { clock, proxy } = fixture
    const call = async (path: string) => ask(`${proxy.own('web')}/${path}`)
    await call('first')
    const { page } = await open(t, fixture, '#/requests')
    const rows = page.locator('#requests [data-request]')
    await rows.first().waitFor()
    await page.keyboard.press('Tab')
    await rows.first().focus()
    await page.keyboard.press('Shift')
    for (let i = 0; i < 30; i += 1) await call('later')
    await page.getByRole('button', { name: 'Show 30 newer' }).waitFor()
    expect(await rows.count()).toBe(1)
    await page.getByRole('button', { name: 'Show 30 newer' }).click()
    await page.getByText('25 of the newest 31 requests').waitFor()
    await page.getByLabel('failed or retried only').check()
    await page.getByText('2 of the newest 2 requests').waitFor()
    await page.locator('#requests').getByLabel('Containing').fill('FIRST')
    await page.getByText('1 of the newest 1 request').waitFor()
    await page.reload()
    await page.getByText('1 of the newest 1 request').waitFor()
    expect(await page.getByLabel('failed or retried only').isChecked()).toBe(true)
    await page.locator('#requests').getByLabel('Containing').fill('nothing of the kind')
    await page.getByText('No request matches.').waitFor()
    const pause = page.getByRole('button', { name: 'Pause' })
    await pause.click()
    await page.getByText('paused', { exact: true }).waitFor()
    await page.locator('#requests').getByLabel('Containing').fill('')
    await page.getByLabel('failed or retried only').uncheck()
    const heard = page.waitForResponse(/v1\/requests/)
    await call('last')
    await clock.advance(1_000)
    await heard
    expect([await page.getByText('GET /last').count(), await pause.getAttribute('aria-pressed')]).toEqual([0, 'true'])
    await page.keyboard.press('Escape')
    await pause.click()
    await page.getByText('GET /last').waitFor()
  })

  test('twelve upstreams fit a laptop and a phone; of a hundred the broken ones come first', async (t) => {
    const names = Array.from({ length: 100 }, (_, i) => `upstream-${String(i).padStart(3, '0')}`)
    const clock = fakeClock()
    const { origin } = await scriptedUpstream(t, clock, [FAILS])
    const settings = {
      url: origin,
      retry: { attempts: 1 },
      breaker: { consecutiveFailures: 3, openFor: '10s', patience: '0ms' },
    }
    const all = Object.fromEntries(names.map((name) => [name, settings]))
    const proxy = await startProxy(t, {
      clock,
      random: () => 0,
      upstreams: Object.fromEntries(Object.entries(all).slice(0, 12)),
    })
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.url}/upstream-007/x`)
    const { page } = await open(t, { proxy }, '', { width: 1366, height: 768, scheme: 'light' })
    const lines = page.locator('#upstream-lines li')
    await lines.nth(11).waitFor()
    await clock.advance(1_000)
    await page.locator('#sentence', { hasText: 'upstream-007 is down' }).waitFor()
    const bottom = async (n: number) =>
      await lines
        .nth(n)
        .boundingBox()
        .then((box) => (box?.y ?? 0) + (box?.height ?? 0))
    expect(await bottom(11)).toBeLessThanOrEqual(768)
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await bottom(11)).toBeLessThanOrEqual(844)
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
    await proxy.reload({ upstreams: all })
    await lines.nth(99).waitFor()
    expect(await lines.first().getAttribute('data-upstream')).toBe('upstream-007')
    await page.getByLabel('Containing').first().fill('04')
    await page.getByText('11 of 100 upstreams').waitFor()
  })
})

/** The mode of each breaker, by upstream. */
async function modesOf(controlUrl: string): Promise<string[][]> {
  const { upstreams } = JSON.parse((await ask(`${controlUrl}/v1/upstreams`)).body.toString())
  return upstreams.map(({ breakers }: { breakers: { mode: string }[] }) => breakers.map(({ mode }) => mode))
}

/** The page in a real browser, served by a real sidecar. */

import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { DESKTOP, hasChromium, type Look, launch, openPage, PHONE } from '../support/browser.ts'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { SHORT, situationsOf, stage } from './situations.ts'

needs('chromium', hasChromium)

const TOP = {
  job: { inputs: { shorts_count: { default: 10, min: 0, max: 10_000 } } },
  timeouts: { total: { base: '60s', per: { shorts_count: '4s' }, min: '30s', max: '1h' } },
}
const FAILS: Scene = { status: 503, headers: { connection: 'close' } }

async function withPage(t: Scope, scenes: readonly Scene[] = [{ body: 'ok' }], top: object = {}) {
  const settings = { retry: { attempts: 1 }, breaker: { consecutiveFailures: 3, openFor: '10s', patience: '0ms' } }
  const fixture = await withSidecar(t, scenes, {
    random: () => 0,
    top: { ...TOP, ...top },
    web: settings,
    others: (url) => ({ 'with-routes': { url, ...settings, routes: [{ match: 'GET /own', breaker: {} }] } }),
  })
  const tell = (method: string, path: string, body: object, headers = {}) =>
    ask(`${fixture.proxy.controlUrl}/v1/${path}`, { method, headers, body: JSON.stringify(body) })
  return { ...fixture, tell }
}

describe.skipIf(!hasChromium)('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  const open = (t: Scope, { proxy }: { proxy: { controlUrl: string } }, hash = '', look: Look = DESKTOP) =>
    openPage(t, browser, proxy.controlUrl, look, [], hash)

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
    await clock.advance(1_000)
    await page.getByText('All 2 upstreams are well').waitFor()
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
    const { page } = await open(t, fixture)
    await clock.advance(1_000)
    const line = page.locator('#upstream-lines [data-upstream="web"]')
    await line.locator('.badge[data-look=calm]', { hasText: 'not called since' }).waitFor()
    await page.locator('#sentence[data-tone=well]', { hasText: 'web failed and has not been called since' }).waitFor()
    expect([await page.title(), await page.locator('#news').textContent()]).toEqual(['Breakwater', ''])
  })

  test("a request's own page has its attempts, why no retry followed, a curl and a permalink; paths are never HTML", async (t) => {
    const fixture = await withPage(t, ['reset'])
    await ask(`${fixture.proxy.own('web')}/%3Cimg%20src=x%20onerror=alert(1)%3E`, { method: 'POST' })
    const { page, problems } = await open(t, fixture, '#/requests')
    await page.locator('[data-request]').click()
    await page.getByText(/Ended with reset \(502\) by the sidecar/).waitFor()
    await page.getByText('No further retry: all attempts that retry.attempts allows were made.').waitFor()
    expect(await page.locator('.attempts .outcome').allTextContents()).toEqual(['reset'])
    expect(await page.locator('.curl').textContent()).toMatch(/^curl -i -X POST 'http:\/\/127\.0\.0\.1:\d+\/%3Cimg.*'$/)
    expect(await page.locator('img').count()).toBe(0)
    await page.reload()
    await page.getByText('No further retry:').waitFor()
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
    expect(problems).toEqual([])
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
    expect(await force('other routes', /Forced closed/, 'never by itself')).toBe('auto')
    await page.getByText(/other routes: forced closed by somebody, since .*, without an end: no reason given/).waitFor()
    expect(await modesOf(proxy.controlUrl)).toEqual([['auto'], ['forced-closed', 'observe']])
  })

  test('jobs show their stages in order and their time left; a checkpoint is cleared after a confirmation', async (t) => {
    const fixture = await withPage(t)
    const { proxy, tell } = fixture
    const append = (stage: string, item_ids: string[], total_items = 4) =>
      tell('POST', 'checkpoints/job-1/items', { stage, item_ids, total_items })
    await tell('PUT', 'jobs/job-1', { shorts_count: 5 })
    for (const stage of ['search', 'validating', 'downloading']) await append(stage, ['a', 'b'], 2)
    await append('building', ['c'])
    const { page, problems } = await open(t, fixture, '#/jobs')
    const job = page.locator('[data-job="job-1"]')
    await job.getByText('1 of 4').waitFor()
    expect(await job.locator('.stage').allTextContents()).toEqual(['search', 'validating', 'downloading', 'building'])
    expect(await job.locator('.left').textContent()).toMatch(/^1 min (20|19|18) s left$/)
    await append('building', ['\u202Ereversed', '<b>bold</b>'])
    await job.getByText('3 of 4').waitFor()
    expect(await job.getByRole('progressbar', { name: 'building' }).getAttribute('value')).toBe('3')
    await job.locator('summary').click()
    const ids = job.locator('.record[open] .items code')
    await ids.nth(2).waitFor()
    expect(await ids.allTextContents()).toEqual(['c', '\u202Ereversed', '<b>bold</b>'])
    expect(await page.evaluate("getComputedStyle(document.querySelector('.items code')).unicodeBidi")).toBe('isolate')
    await job.getByRole('button', { name: 'Clear checkpoint…' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect((await ask(`${proxy.controlUrl}/v1/checkpoints/job-1`)).status).toBe(200)
    await job.getByRole('button', { name: 'Clear checkpoint…' }).click()
    await page.getByRole('button', { name: 'Clear it' }).click()
    await job.getByText('No checkpoint.').waitFor()
    expect((await ask(`${proxy.controlUrl}/v1/checkpoints/job-1`)).status).toBe(404)
    await tell('PUT', 'jobs/job-9', { shorts_count: 10 })
    await tell('POST', 'checkpoints/job-9/items', { stage: 'search', item_ids: ['a'], total_items: 3 })
    // Well before the page would read the jobs again without a checkpoint.
    await page.locator('[data-job="job-9"]', { hasText: 'left' }).waitFor({ timeout: 10_000 })
    await page.route('**/v1/checkpoints/job-9*', (route) =>
      route.fulfill({ status: 503, json: { detail: 'the checkpoint store is down' } }),
    )
    await page.locator('[data-job="job-9"] summary').click()
    await page.getByText('Not read: the checkpoint store is down').waitFor()
    expect(problems.filter((text) => !text.includes('503'))).toEqual([])
  })

  test('of 300 jobs the 25 with the nearest deadlines are shown, more on a click, and any job by its id', async (t) => {
    const fixture = await withPage(t)
    for (let i = 0; i < 300; i += 1) await fixture.tell('PUT', `jobs/job-${i}`, { shorts_count: 300 - i })
    const { page } = await open(t, fixture, '#/jobs')
    await page.getByText('25 of 300 jobs, nearest deadline first').waitFor()
    expect(await page.locator('[data-job]').first().getAttribute('data-job')).toBe('job-299')
    await page.getByRole('button', { name: 'Show 25 more' }).last().click()
    await page.getByText('50 of 300 jobs').waitFor()
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(1_500)
    await page.keyboard.press('/')
    await page.keyboard.type('job-123')
    await page.getByText('1 of 1 job').waitFor()
    expect(await page.locator('[data-job]').count()).toBe(1)
  })

  test('jobs over the limit of one read are not read, but counted', async (t) => {
    const { proxy, tell } = await withPage(t)
    await tell('PUT', 'jobs/job-1', { shorts_count: 1 })
    await tell('PUT', 'jobs/job-2', { shorts_count: 1 })
    const before = [
      `const real = fetch
      fetch = (url, init) => real(String(url).replace('limit=1000', 'limit=1'), init)`,
    ]
    const { page } = await openPage(t, browser, proxy.controlUrl, DESKTOP, before, '#/jobs')
    await page.getByText('1 of 1 job, nearest deadline first; 1 older one not read').waitFor()
  })

  test('a hidden tab draws nothing but its title, and shows the present state once it is visible', async (t) => {
    const fixture = await withPage(t, [{ body: 'ok' }, { body: 'ok' }, FAILS])
    const { clock, proxy } = fixture
    const { page } = await open(t, fixture, '#/upstreams/web')
    const hide = (isHidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} })
        document.dispatchEvent(new Event('visibilitychange'))`)
    const requests = page.locator('[data-plot="rate"] .value').first()
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    await page.locator('[data-plot="rate"] canvas').first().waitFor()
    await hide(true)
    for (let i = 0; i < 7; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(1_000)
    await page.waitForFunction("document.title.startsWith('(!) web is down')")
    expect(await requests.textContent()).toBe('0')
    await hide(false)
    await page.locator('[data-plot="rate"] .value', { hasText: '7' }).first().waitFor()
  })

  test('the plots of a view that was left are released; an upstream that a reload removed is told', async (t) => {
    const fixture = await withPage(t)
    const { clock, upstream, proxy } = fixture
    const { page } = await open(t, fixture, '#/upstreams/with-routes')
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    await page.locator('canvas').first().waitFor()
    await proxy.reload({ upstreams: { web: { url: upstream.origin } } })
    await page.getByText('The configuration in force has no such upstream.').waitFor()
    await page.goto(`${proxy.controlUrl}/#/`)
    const kept = () => page.evaluate("uPlot.sync('time').plots.filter(({ root }) => !root.isConnected).length")
    await expect.poll(kept, { timeout: 10_000 }).toBe(0)
  })

  test('the page asks for the token, keeps it in sessionStorage only, and never puts it into a URL', async (t) => {
    const control = { listen: '127.0.0.1:0', token: 'Öffne → dich' }
    const fixture = await withPage(t, [{}], { control })
    const { page, asked } = await open(t, fixture)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('locked: a token is needed').waitFor()
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.locator('#sentence[data-tone=unknown]', { hasText: 'The page is locked' }).waitFor()
    await page.getByRole('button', { name: 'Enter the token' }).click()
    await page.locator('input[name=token]').fill('öffne → dich')
    await page.keyboard.press('Enter')
    await page.getByText('The token was not accepted.').waitFor()
    await page.locator('input[name=token]').fill(' Öffne → dich ')
    await page.keyboard.press('Enter')
    await page.locator('[data-upstream="web"]').first().waitFor()
    expect(await page.evaluate('[Object.values(sessionStorage), localStorage.length, document.cookie]')).toEqual([
      [' Öffne → dich '],
      0,
      '',
    ])
    expect(asked.filter((url) => /ffne/.test(decodeURIComponent(url)))).toEqual([])
    await page.reload()
    await page.locator('[data-upstream="web"]').first().waitFor()
    expect(await page.getByRole('dialog').count()).toBe(0)
  })

  test('the event stream is read in a browser whose ReadableStream is not iterable, such as Safari', async (t) => {
    const { proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl, DESKTOP, [
      'delete ReadableStream.prototype[Symbol.asyncIterator]; delete ReadableStream.prototype.values',
    ])
    await page.getByText('live', { exact: true }).waitFor()
  })

  test('the configuration has a diff: of a refused file, and of the last reload; without secrets', async (t) => {
    const fixture = await withPage(t, [{}], { control: { listen: '127.0.0.1:0' }, service: 'shop' })
    const { proxy, tell } = fixture
    const { page } = await open(t, fixture, '#/config')
    await page.getByText('The file has not changed since the start.').waitFor()
    await page.getByText('Show the configuration').click()
    expect(await page.locator('#config-text').textContent()).toContain('"service": "shop"')
    proxy.rewrite({
      defaults: { retry: { atempts: 3 }, headers: { request: { set: { authorization: 'Bearer hunter2' } } } },
    })
    await page.getByRole('button', { name: 'Reload…' }).click()
    await page.getByRole('button', { name: 'Reload', exact: true }).click()
    await page.getByText(/refused: the earlier configuration stays in force/).waitFor()
    await page.locator('#sentence', { hasText: 'The changed configuration was refused' }).waitFor()
    await page
      .getByText(/defaults\.retry\.atempts: unknown key, did you mean "attempts"/)
      .first()
      .waitFor()
    await page.getByRole('heading', { name: /^What the refused file .* would change/ }).waitFor()
    expect(await page.locator('#config-diff li').allTextContents()).toEqual([
      'defaults.retry.atempts3',
      'defaults.headers.request.set.authorization***',
    ])
    proxy.rewrite({ defaults: { retry: { attempts: 3 } } })
    await tell('POST', 'config/reload', {})
    await page.getByRole('heading', { name: /^What the last reload changed/ }).waitFor()
    expect(await page.locator('#config-diff li').allTextContents()).toEqual(['defaults.retry.attempts3'])
  })

  test('when the sidecar stops, the sentence says so and how old the rest is', async (t) => {
    const fixture = await withPage(t)
    const { page } = await open(t, fixture)
    await page.getByText('live', { exact: true }).waitFor()
    await fixture.clock.advance(1_000)
    await page.getByText('All 2 upstreams are well').waitFor()
    await fixture.proxy.app.close()
    await page.getByText(/^not connected: the sidecar .*; trying again$/).waitFor()
    await page
      .locator('#sentence[data-tone=unknown]', {
        hasText: /^The page has lost the sidecar \(.*\) since .*: what you see below is as of .*\. See whether/,
      })
      .waitFor()
    expect(await page.title()).toMatch(/^\(\?\) The page has lost the sidecar/)
    expect(await page.evaluate("getComputedStyle(document.querySelector('main')).filter")).toBe('grayscale(1)')
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
    const { page } = await openPage(t, browser, proxy.controlUrl, { width: 1366, height: 768, scheme: 'light' })
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

  test('shortcuts move between the views, and are listed', async (t) => {
    const fixture = await withPage(t)
    const { page, problems } = await open(t, fixture)
    await page.getByText('live', { exact: true }).waitFor()
    for (const [keys, title] of [
      ['gr', 'Requests, live'],
      ['gj', 'Jobs and checkpoints'],
      ['gh', 'Health'],
      ['gc', 'Configuration in force'],
      ['ge', 'Explain a request'],
      ['?', 'Shortcuts'],
      ['gn', 'Upstreams'],
    ] as const) {
      for (const key of keys) await page.keyboard.press(key)
      await page.getByRole('heading', { name: title, exact: true }).waitFor()
    }
    await page.keyboard.press('g')
    await page.keyboard.press('h')
    await page.getByText('all have retries to give').waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('health-title')
    expect(problems).toEqual([])
  })

  test('a row that changes its place keeps the focus', async (t) => {
    const { page } = await open(t, await withPage(t))
    const focused = await page.evaluate(`import('/page/element.js').then(({ keyed, element }) => {
      const list = element('ul')
      document.body.append(list)
      const make = (id) => ({ root: element('li', {}, element('button', {}, id)), update: () => {} })
      const show = (ids) => keyed(list, ids, (id) => id, make)
      show(['a', 'b'])
      list.querySelectorAll('button')[1].focus()
      show(['b', 'a'])
      return [document.activeElement.textContent, list.textContent]
    })`)
    expect(focused).toEqual(['b', 'ba'])
  })

  const LOOKS: readonly (readonly [where: string, look: Look])[] = [
    ['on a light desktop', DESKTOP],
    ['on a dark phone', PHONE],
  ]
  test.for(LOOKS)(
    'every view passes axe %s, and does not scroll sideways',
    { timeout: 60_000 },
    async ([, look], t) => {
      const fixture = await withPage(t, [FAILS])
      const { clock, proxy, tell } = fixture
      await tell('PUT', 'jobs/job-1', { shorts_count: 5 })
      await tell('PUT', `jobs/${'long'.repeat(32)}`, { shorts_count: 50 })
      await tell('POST', 'checkpoints/job-1/items', { stage: 'downloading', item_ids: ['a', 'b'], total_items: 3 })
      for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/${'long'.repeat(60)}`)
      proxy.rewrite({ defaults: { retry: { atempts: 3 } } })
      await tell('POST', 'config/reload', {})
      await tell('PUT', 'upstreams/with-routes/breaker', { mode: 'observe', reason: 'long'.repeat(60), for: '1h' })
      await clock.advance(1_000)
      const { requests } = JSON.parse((await ask(`${proxy.controlUrl}/v1/requests`)).body.toString())
      const { page } = await open(t, fixture, '', look)
      await page.evaluate(axe.source)
      for (const [hash, shown] of [
        ['#/', '#upstream-lines li'],
        ['#/upstreams/web', '.causes li'],
        ['#/requests', '[data-request]'],
        [`#/requests/${requests[0].request_id}`, '.curl'],
        ['#/jobs', '[data-job=job-1]'],
        ['#/health', '#health-checks li'],
        ['#/config', '#config-diff li'],
        ['#/explain?path=/web/x', '.answer:not([hidden])'],
        ['#/keys', '#shortcuts dt'],
      ] as const) {
        await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
        await page.locator(shown).first().waitFor()
        expect([hash, await faultsIn(page)]).toEqual([hash, []])
        const over = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        expect([hash, over]).toEqual([hash, expect.toSatisfy((px: number) => px <= 0)])
      }
      await page.evaluate("location.hash = '#/upstreams/with-routes'")
      await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
      expect(await faultsIn(page)).toEqual([])
    },
  )

  test('in dark on a desktop, in light on a phone, and with forced colours the first view passes axe', async (t) => {
    const fixture = await withPage(t, [FAILS])
    for (let i = 0; i < 3; i += 1) await ask(`${fixture.proxy.own('web')}/x`)
    await fixture.clock.advance(1_000)
    const { page } = await open(t, fixture, '', { ...DESKTOP, scheme: 'dark' })
    await page.locator('#sentence', { hasText: 'web is down' }).waitFor()
    await page.evaluate(axe.source)
    expect(await faultsIn(page)).toEqual([])
    await page.setViewportSize(PHONE)
    await page.emulateMedia({ colorScheme: 'light' })
    expect(await faultsIn(page)).toEqual([])
    await page.emulateMedia({ forcedColors: 'active' })
    const [mark, text]: string[] = await page.evaluate(
      "[getComputedStyle(document.querySelector('.piece.open')).backgroundColor, getComputedStyle(document.body).color]",
    )
    expect(mark).toBe(text)
  })

  test.for(situationsOf(SHORT))('the first screen answers the four questions: $name', async (situation, t) => {
    const { clock, proxy } = await stage(t, situation)
    const { page, problems } = await openPage(t, browser, proxy.controlUrl, {
      width: 1366,
      height: 768,
      scheme: 'light',
    })
    const sentence = page.locator('#sentence .sentence')
    const said = async () => ((await sentence.textContent()) ?? '').replace(/Runbook$/, '')
    await clock.advance(1_000)
    await expect.poll(said, { timeout: 15_000 }).toMatch(situation.says)
    for (const [width, height] of [
      [1366, 768],
      [390, 844],
    ] as const) {
      await page.setViewportSize({ width, height })
      const box = await sentence.boundingBox()
      expect(box?.y).toBeGreaterThan(0)
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThan(height / 2)
    }
    expect(problems).toEqual([])
  })
})

/** The mode of each breaker, by upstream. */
async function modesOf(controlUrl: string): Promise<string[][]> {
  const { upstreams } = JSON.parse((await ask(`${controlUrl}/v1/upstreams`)).body.toString())
  return upstreams.map(({ breakers }: { breakers: { mode: string }[] }) => breakers.map(({ mode }) => mode))
}

/** Violations that axe finds of WCAG 2.2 A and AA, and of its own best practices. */
async function faultsIn(page: Page): Promise<string[]> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found: axe.AxeResults = await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(tags)} })`)
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
  )
}

/** The page in a real browser, served by a real sidecar. */

import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { METRICS } from '../../src/control/metrics/metric-table.ts'
import { DESKTOP, hasChromium, type Look, launch, openPage, PHONE } from '../support/browser.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

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

  test('shows the figures of the metrics, and requests nothing from any other host', async (t) => {
    const { clock, proxy } = await withPage(t, [{ body: 'ok' }, { body: 'ok' }, { status: 500 }, { body: 'ok' }])
    for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/x`)
    const { page, problems, asked } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    const card = page.locator('[data-upstream="web"]')
    await card.locator('[data-plot="rate"] .value', { hasText: '5' }).first().waitFor()
    const metrics = await proxy.metrics()
    const sum = (name: string, matches: RegExp) =>
      [...metrics]
        .filter(([key]) => key.startsWith(`${name}{`) && matches.test(key))
        .reduce((n, [, value]) => n + value, 0)
    const fact = (name: string) => card.locator(`[data-fact="${name}"]`).textContent()
    const requests = sum(METRICS.requests.name, /upstream="web"/)
    expect(requests).toBe(5)
    expect(await fact('requests')).toBe(String(requests))
    expect(await fact('attempts')).toBe(String(sum(METRICS.attempts.name, /upstream="web"/)))
    expect(await fact('failed')).toBe(String(sum(METRICS.requests.name, /upstream="web".*class="5xx"/)))
    expect(await fact('retry_budget')).toBe(String(sum(METRICS.retryBudget.name, /upstream="web"/)))
    expect(await card.locator('[data-plot="rate"] .value').allTextContents()).toEqual(['5', '5', '1'])
    expect(await card.locator('[data-plot="errors"] .value').textContent()).toBe('20 %')
    expect(problems).toEqual([])
    expect(asked.filter((url) => !url.startsWith(proxy.controlUrl) && !url.startsWith('data:'))).toEqual([])
  })

  test('a breaker that opens is named in the verdict, with its cause and its time line', async (t) => {
    const { clock, proxy } = await withPage(t, [FAILS])
    const { page, problems } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('2 upstreams, all breakers closed').waitFor()
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(2_000)
    const card = page.locator('[data-upstream="web"]')
    await card.locator('.badge', { hasText: /^open$/ }).waitFor()
    await page.getByRole('link', { name: 'web open' }).click()
    expect(await page.title()).toBe('(!) web open – Breakwater')
    expect(await page.evaluate("document.getElementById('upstream-web').getBoundingClientRect().top")).toBeGreaterThan(
      40,
    )
    await card.getByText('Breaker transitions').click()
    await card.getByText(/all routes: closed → open \(consecutive\), for 10 s/).waitFor()
    await card.getByRole('img', { name: /^Breaker over the last minutes: opened 1 time, open \d/ }).waitFor()
    expect(await card.locator('.run.open').count()).toBe(2)
    expect(problems).toEqual([])
  })

  test('a page opened after a breaker opened shows when and why, but does not announce it', async (t) => {
    const { clock, proxy } = await withPage(t, [FAILS])
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(400_000)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await clock.advance(1_000)
    const card = page.locator('[data-upstream="web"]')
    await card.getByText('Breaker transitions').click()
    await card.getByText(/all routes: closed → open \(consecutive\), for 10 s/).waitFor()
    await card.getByRole('img', { name: /^Breaker over the last minutes: half-open \d/ }).waitFor()
    expect(await page.locator('#news').textContent()).toBe('')
  })

  test('a failure shows its attempts when clicked, and its path is never read as HTML', async (t) => {
    const { proxy } = await withPage(t, ['reset'])
    await ask(`${proxy.own('web')}/%3Cimg%20src=x%20onerror=alert(1)%3E`)
    const { page, problems } = await openPage(t, browser, proxy.controlUrl)
    const row = page.locator('[data-failure]')
    await row.locator('summary').click()
    expect(await row.locator('summary').textContent()).toMatch(/GET \/%3Cimg.*\s*reset\s*1 attempt/)
    await row.locator('.attempts li').waitFor()
    expect(await row.locator('.attempts .outcome').allTextContents()).toEqual(['reset'])
    expect(await page.locator('img').count()).toBe(0)
    expect(problems).toEqual([])
  })

  test('a breaker can be forced with the keyboard alone, and Escape cancels the dialog', async (t) => {
    const { clock, upstream, proxy } = await withPage(t)
    const { page, problems } = await openPage(t, browser, proxy.controlUrl)
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
    await page.keyboard.press('Enter')
    await page.getByText('web: breaker set to forced-open').waitFor()
    await page.locator('[data-upstream="web"] .badge', { hasText: 'forced open' }).waitFor()
    await clock.advance(3_600_000)
    expect([(await ask(`${proxy.own('web')}/x`)).status, upstream.arrivals.length]).toEqual([503, 1])
    expect(problems).toEqual([])
  })

  test('one of several breakers of an upstream can be forced without the others', async (t) => {
    const { proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
    await page.getByRole('combobox').selectOption('GET /own')
    await page.getByRole('radio', { name: /Observe only/ }).check()
    await page.getByRole('button', { name: 'Set the breaker' }).click()
    await page.getByText('GET /own: closed, observed only').waitFor()
    expect(await modesOf(proxy.controlUrl)).toEqual([['auto'], ['auto', 'observe']])
    await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
    expect(await page.locator('dialog :checked[type=radio]').count()).toBe(0)
    await page.getByRole('combobox').selectOption('other routes')
    expect(await page.getByRole('radio', { name: /Automatic/ }).isChecked()).toBe(true)
    await page.getByRole('radio', { name: /Forced closed/ }).check()
    await page.getByRole('button', { name: 'Set the breaker' }).click()
    await page.getByText('other routes: forced closed').waitFor()
    expect(await modesOf(proxy.controlUrl)).toEqual([['auto'], ['forced-closed', 'observe']])
  })

  test('jobs show a bar per stage and their time left; a checkpoint is cleared after a confirmation', async (t) => {
    const { proxy, tell } = await withPage(t)
    await tell('PUT', 'jobs/job-1', { shorts_count: 5 })
    await tell('POST', 'checkpoints/job-1/items', { stage: 'downloading', item_ids: ['a', 'b'], total_items: 2 })
    await tell('POST', 'checkpoints/job-1/items', { stage: 'building', item_ids: ['c'], total_items: 4 })
    const { page, problems } = await openPage(t, browser, proxy.controlUrl)
    const job = page.locator('[data-job="job-1"]')
    await job.getByText('1 of 4').waitFor()
    expect(await job.locator('.left').textContent()).toMatch(/^1 min (20|19|18) s left$/)
    await tell('POST', 'checkpoints/job-1/items', { stage: 'building', item_ids: ['d', 'e'], total_items: 4 })
    await job.getByText('3 of 4').waitFor()
    expect(await job.getByRole('progressbar', { name: 'building' }).getAttribute('value')).toBe('3')
    await job.locator('summary').click()
    await job.getByText('c d e').waitFor()
    await job.getByRole('button', { name: 'Clear checkpoint…' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect((await ask(`${proxy.controlUrl}/v1/checkpoints/job-1`)).status).toBe(200)
    await job.getByRole('button', { name: 'Clear checkpoint…' }).click()
    await page.getByRole('button', { name: 'Clear it' }).click()
    await job.getByText('No checkpoint.').waitFor()
    expect((await ask(`${proxy.controlUrl}/v1/checkpoints/job-1`)).status).toBe(404)
    expect(problems).toEqual([])
  })

  test('a page opened after all stages of a job began shows them in their order', async (t) => {
    const { proxy, tell } = await withPage(t)
    const stages = ['search', 'downloading', 'validating', 'building', 'cutting', 'mixing', 'uploading']
    for (const stage of stages)
      await tell('POST', 'checkpoints/job-1/items', { stage, item_ids: ['a'], total_items: 3 })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    const job = page.locator('[data-job="job-1"]')
    await job.getByText('1 of 3').first().waitFor()
    expect(await job.locator('.stage').allTextContents()).toEqual(stages)
  })

  test('a job registered while the page is open shows its time left soon after its first checkpoint', async (t) => {
    const { proxy, tell } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('No job is registered').waitFor()
    await tell('PUT', 'jobs/job-9', { shorts_count: 10 })
    await tell('POST', 'checkpoints/job-9/items', { stage: 'search', item_ids: ['a'], total_items: 3 })
    // Well before the page would read the jobs again without a checkpoint.
    await page.locator('[data-job="job-9"]', { hasText: 'left' }).waitFor({ timeout: 10_000 })
  })

  test('of 500 jobs the 25 with the nearest deadlines are shown, more on a click, and any job by its id', async (t) => {
    const { proxy, tell } = await withPage(t)
    for (let i = 0; i < 500; i += 1) await tell('PUT', `jobs/job-${i}`, { shorts_count: 500 - i })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('25 of 500 jobs, nearest deadline first').waitFor()
    expect(await page.locator('[data-job]').first().getAttribute('data-job')).toBe('job-499')
    await page.getByRole('button', { name: 'Show 25 more' }).last().click()
    await page.getByText('50 of 500 jobs').waitFor()
    expect(await page.locator('[data-job]').count()).toBe(50)
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(1_500)
    await page.getByLabel('Id contains').fill('job-123')
    await page.getByText('1 of 1 job').waitFor()
    expect(await page.locator('[data-job]').count()).toBe(1)
  })

  test('jobs over the limit of one read are not read, but counted', async (t) => {
    const { proxy, tell } = await withPage(t)
    await tell('PUT', 'jobs/job-1', { shorts_count: 1 })
    const { page } = await openPage(t, browser, proxy.controlUrl, DESKTOP, [
      `const real = fetch
      fetch = (url, init) => real(String(url).replace('limit=1000', 'limit=1'), init)`,
    ])
    await page.getByText('1 of 1 job, nearest deadline first', { exact: true }).waitFor()
    await tell('PUT', 'jobs/job-2', { shorts_count: 1 })
    await page.reload()
    await page.getByText('1 of 1 job, nearest deadline first; 1 older one not read').waitFor()
  })

  test('a hidden tab draws nothing, and shows the present state once it is visible', async (t) => {
    const { clock, proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    const hide = (isHidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${isHidden} })
        document.dispatchEvent(new Event('visibilitychange'))`)
    const requests = page.locator('[data-upstream="web"] [data-plot="rate"] .value').first()
    await page.getByText('live', { exact: true }).waitFor()
    await page.evaluate(`void (globalThis.heardSeven = new Promise((done) => {
      const { parse } = JSON
      JSON.parse = (text) => { const value = parse(text); if (value.upstreams?.web?.requests === 7) done(); return value }
    }))`)
    await clock.advance(1_000)
    await page.locator('[data-plot="rate"] canvas').first().waitFor()
    await page.clock.install()
    await hide(true)
    for (let i = 0; i < 7; i += 1) await ask(`${proxy.own('web')}/x`)
    await clock.advance(1_000)
    await page.evaluate('heardSeven')
    await page.clock.runFor(5_000)
    expect(await requests.textContent()).toBe('0')
    await hide(false)
    await page.locator('[data-upstream="web"] [data-plot="rate"] .value', { hasText: '7' }).first().waitFor()
  })

  test('the plots of an upstream that a reload removed are released', async (t) => {
    const { clock, upstream, proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    await page.locator('[data-upstream="with-routes"] canvas').first().waitFor()
    await proxy.reload({ upstreams: { web: { url: upstream.origin } } })
    await page.locator('[data-upstream="with-routes"]').waitFor({ state: 'detached' })
    const kept = () => page.evaluate("uPlot.sync('time').plots.filter(({ root }) => !root.isConnected).length")
    await expect.poll(kept).toBe(0)
  })

  test('the page asks for the token, keeps it in sessionStorage only, and never puts it into a URL', async (t) => {
    const control = { listen: '127.0.0.1:0', token: 'open sesame' }
    const { proxy } = await withPage(t, [{}], { control })
    const { page, asked } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('locked: a token is needed').waitFor()
    await page.locator('input[name=token]').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByText('The token was not accepted.').waitFor()
    await page.locator('input[name=token]').fill('open sesame')
    await page.keyboard.press('Enter')
    await page.locator('[data-upstream="web"]').waitFor()
    expect(await page.evaluate('[Object.values(sessionStorage), localStorage.length, document.cookie]')).toEqual([
      ['open sesame'],
      0,
      '',
    ])
    expect(asked.filter((url) => url.includes('sesame'))).toEqual([])
    await page.reload()
    await page.locator('[data-upstream="web"]').waitFor()
    expect(await page.getByRole('dialog').count()).toBe(0)
  })

  test('a token with letters outside ASCII can be entered, also after a wrong one', async (t) => {
    const { proxy } = await withPage(t, [{}], { control: { listen: '127.0.0.1:0', token: 'Öffne → dich' } })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.locator('input[name=token]').fill('öffne → dich')
    await page.keyboard.press('Enter')
    await page.getByText('The token was not accepted.').waitFor()
    await page.locator('input[name=token]').fill(' Öffne → dich ')
    await page.keyboard.press('Enter')
    await page.locator('[data-upstream="web"]').waitFor()
  })

  test('the event stream is read in a browser whose ReadableStream is not iterable, such as Safari', async (t) => {
    const { proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl, DESKTOP, [
      'delete ReadableStream.prototype[Symbol.asyncIterator]; delete ReadableStream.prototype.values',
    ])
    await page.getByText('live', { exact: true }).waitFor()
  })

  test('without the token the page shows that it is locked, and a button to go on', async (t) => {
    const { proxy } = await withPage(t, [{}], { control: { listen: '127.0.0.1:0', token: 'sesame' } })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('locked: a token is needed').waitFor()
    expect(await page.getByRole('dialog').count()).toBe(0)
    await page.getByText('no upstream known yet').waitFor()
    expect(await page.locator('.none').allTextContents()).toEqual(['Not read yet.', 'Not read yet.'])
    await page.getByRole('button', { name: 'Enter the token' }).click()
    await page.locator('input[name=token]').fill('sesame')
    await page.keyboard.press('Enter')
    await page.locator('[data-upstream="web"]').waitFor()
  })

  test('shows the configuration, its last reload, and the fault for which a reload was refused', async (t) => {
    const { proxy } = await withPage(t, [{}], { control: { listen: '127.0.0.1:0' }, service: 'shop' })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('Not reloaded since the start.').waitFor()
    await page.getByText('Show the configuration').click()
    expect(await page.locator('#config-text').textContent()).toContain('"service": "shop"')
    proxy.rewrite({ defaults: { retry: { atempts: 3 } } })
    await page.getByRole('button', { name: 'Reload…' }).click()
    await page.getByRole('button', { name: 'Reload', exact: true }).click()
    await page.getByText(/refused: the earlier configuration stays in force/).waitFor()
    await page.getByRole('link', { name: 'last reload refused' }).waitFor()
    await page.getByText(/defaults\.retry\.atempts: unknown key, did you mean "attempts"/).waitFor()
  })

  test('when the sidecar stops, the page says that it is not connected and how old its figures are', async (t) => {
    const { clock, proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    await page.locator('[data-plot="rate"] .value', { hasText: '0' }).first().waitFor()
    await proxy.app.close()
    await page.getByText(/^not connected: the sidecar .*; trying again$/).waitFor()
    await page.getByText(/^As of .*: 2 upstreams, all breakers closed$/).waitFor()
    await page.locator('#verdict[data-well=unknown]').waitFor()
    expect(await page.title()).toBe('(?) not connected – Breakwater')
    expect(await page.evaluate("getComputedStyle(document.querySelector('main')).filter")).toBe('grayscale(1)')
  })

  test('the verdict names a forced breaker, and an upstream that fails although its breaker is closed', async (t) => {
    const { clock, proxy, tell } = await withPage(t, [{ status: 503, body: 'no' }])
    await tell('PUT', 'upstreams/web/breaker', { mode: 'forced-closed' })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByRole('link', { name: 'web forced closed' }).waitFor()
    expect(await page.locator('#verdict').getAttribute('data-well')).toBe('false')
    await ask(`${proxy.url}/with-routes/x`)
    await clock.advance(1_000)
    await page.getByRole('link', { name: 'with-routes 100 % failed' }).waitFor()
    await page.locator('[data-upstream="web"] .badge[data-state=held]').waitFor()
  })

  test('the title of a hidden tab changes when a breaker opens', async (t) => {
    const { proxy } = await withPage(t, [FAILS])
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.getByText('2 upstreams, all breakers closed').waitFor()
    await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/x`)
    await page.evaluate(`new Promise((done) => {
      const look = () => { if (document.title === '(!) web open – Breakwater') done() }
      new MutationObserver(look).observe(document.querySelector('title'), { childList: true })
      look()
    })`)
    expect(await page.locator('#verdict').textContent()).toBe('2 upstreams, all breakers closed')
  })

  test('an opened failure stays in place while newer ones arrive; the newer ones are counted', async (t) => {
    const { proxy } = await withPage(t, ['reset'])
    const fail = async (path: string) => ask(`${proxy.own('web')}/${path}`)
    await fail('first')
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.locator('[data-failure] summary').click()
    for (let i = 0; i < 30; i += 1) await fail('later')
    await page.getByRole('button', { name: 'Show 30 newer' }).waitFor()
    expect(await page.locator('[data-failure]').count()).toBe(1)
    await page.getByRole('button', { name: 'Show 30 newer' }).click()
    await page.getByText('25 of 31 failures').waitFor()
    await page.getByLabel('Containing').fill('FIRST')
    await page.getByText('1 of 1 failure').waitFor()
    expect(await page.locator('[data-failure]').textContent()).toContain('/first')
    await page.getByLabel('Containing').fill('nothing of the kind')
    await page.getByText('No failure matches.').waitFor()
  })

  test('while paused, the page keeps the old figures; after the pause it shows the new ones', async (t) => {
    const { clock, proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    const requests = page.locator('[data-upstream="web"] [data-plot="rate"] .value').first()
    await page.getByText('live', { exact: true }).waitFor()
    await clock.advance(1_000)
    await requests.getByText('0').waitFor()
    const pause = page.getByRole('button', { name: 'Pause' })
    await pause.click()
    await page.getByText('paused', { exact: true }).waitFor()
    const heard = page.waitForResponse(/v1\/upstreams/)
    await ask(`${proxy.own('web')}/x`)
    await clock.advance(1_000)
    await heard
    expect([await requests.textContent(), await pause.getAttribute('aria-pressed')]).toEqual(['0', 'true'])
    await pause.click()
    await requests.getByText('1').waitFor()
  })

  test('the result of an action is visible at the bottom of a scrolled page', async (t) => {
    const { proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl, PHONE)
    await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
    await page.getByRole('radio', { name: /Observe only/ }).check()
    await page.getByRole('button', { name: 'Set the breaker' }).click()
    await page.getByText('with-routes: breaker set to observe').waitFor()
    expect(await page.evaluate("document.getElementById('outcome').getBoundingClientRect().bottom")).toBe(PHONE.height)
    expect(await page.evaluate('scrollY')).toBeGreaterThan(0)
  })

  test('a checkpoint that cannot be read says why', async (t) => {
    const { proxy, tell } = await withPage(t)
    await tell('POST', 'checkpoints/job-1/items', { stage: 'building', item_ids: ['c'] })
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.route('**/v1/checkpoints/job-1*', (route) =>
      route.fulfill({ status: 503, json: { detail: 'the checkpoint store is down' } }),
    )
    await page.locator('[data-job] summary').click()
    await page.getByText('Not read: the checkpoint store is down').waitFor()
  })

  test('an open checkpoint is updated, its ids are isolated text, and clearing it moves the focus', async (t) => {
    const { proxy, tell } = await withPage(t)
    const append = (ids: string[]) => tell('POST', 'checkpoints/job-1/items', { stage: 'building', item_ids: ids })
    await append(['\u202Ereversed', '<b>bold</b>'])
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.locator('[data-job] summary').click()
    const ids = page.locator('[data-job] .items code')
    await ids.nth(1).waitFor()
    await append(['third'])
    await ids.nth(2).waitFor()
    expect(await ids.allTextContents()).toEqual(['\u202Ereversed', '<b>bold</b>', 'third'])
    expect(await page.evaluate("getComputedStyle(document.querySelector('.items code')).unicodeBidi")).toBe('isolate')
    await page.getByRole('button', { name: 'Clear checkpoint…' }).click()
    await page.getByRole('button', { name: 'Clear it' }).click()
    await page.getByText('No job is registered, and there is no checkpoint.').waitFor()
    expect(await page.evaluate('document.activeElement.id')).toBe('job-filter')
  })

  test('a row that changes its place keeps the focus', async (t) => {
    const { proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
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

  test('with forced colours the time line of a breaker is visible', async (t) => {
    const { clock, proxy } = await withPage(t)
    const { page } = await openPage(t, browser, proxy.controlUrl)
    await page.emulateMedia({ forcedColors: 'active' })
    await clock.advance(1_000)
    await page.locator('.run').first().waitFor()
    const [bar, text]: string[] = await page.evaluate(
      "[getComputedStyle(document.querySelector('.run')).backgroundColor, getComputedStyle(document.body).color]",
    )
    expect(bar).toBe(text)
  })

  const LOOKS: readonly (readonly [where: string, look: Look])[] = [
    ['on a light desktop', DESKTOP],
    ['on a dark phone', PHONE],
    ['on a dark desktop', { ...DESKTOP, scheme: 'dark' }],
    ['on a light phone', { ...PHONE, scheme: 'light' }],
  ]
  test.for(LOOKS)(
    'passes axe %s with opened rows and with a dialog, and does not scroll sideways',
    async ([, look], t) => {
      const { clock, proxy, tell } = await withPage(t, [FAILS])
      await tell('PUT', 'jobs/job-1', { shorts_count: 5 })
      await tell('PUT', `jobs/${'long'.repeat(32)}`, { shorts_count: 50 })
      await tell('POST', 'checkpoints/job-1/items', { stage: 'downloading', item_ids: ['a', 'b'], total_items: 3 })
      const { page } = await openPage(t, browser, proxy.controlUrl, look)
      await page.getByText('live', { exact: true }).waitFor()
      for (let i = 0; i < 3; i += 1) await ask(`${proxy.own('web')}/${'long'.repeat(60)}`)
      proxy.rewrite({ defaults: { retry: { atempts: 3 } } })
      await tell('POST', 'config/reload', {})
      await clock.advance(1_000)
      await page.locator('[data-failure] summary').first().click()
      await page.locator('[data-job=job-1] summary').click()
      await page.locator('[data-job=job-1]').getByText('Clear checkpoint…').waitFor()
      await page.getByText('Show the configuration').click()
      await page.getByText(/refused:/).waitFor()
      await page.locator('[data-upstream="web"] .badge', { hasText: /^open$/ }).waitFor()
      expect(await faultsIn(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
      await page.getByRole('button', { name: 'Force a breaker of with-routes' }).click()
      expect(await faultsIn(page)).toEqual([])
    },
  )
})

/** The mode of each breaker, by upstream. */
async function modesOf(controlUrl: string): Promise<string[][]> {
  const { upstreams } = JSON.parse((await ask(`${controlUrl}/v1/upstreams`)).body.toString())
  return upstreams.map(({ breakers }: { breakers: { mode: string }[] }) => breakers.map(({ mode }) => mode))
}

/** Violations that axe finds of WCAG 2.2 A and AA, and of its own best practices. */
async function faultsIn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found: axe.AxeResults = await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(tags)} })`)
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
  )
}

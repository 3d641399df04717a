/** The page's other views, its link to the sidecar and its keyboard, in a real browser. */

import { describe, expect, test } from 'vitest'
import { DESKTOP, hasChromium } from '../support/browser.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { withSidecar } from '../support/sidecar.ts'
import { pages } from './pages.ts'
import { FAILS, withPage } from './with-page.ts'

needs('chromium', hasChromium)

describe.skipIf(!hasChromium)('the page', () => {
  const open = pages()

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
    const { page } = await open(t, { proxy }, '#/jobs', DESKTOP, before)
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
    await page.locator('[data-plot="rate"] .value', { hasText: '0' }).first().waitFor()
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
    const { page } = await open(t, { proxy }, '', DESKTOP, [
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
    await page.getByText('No trouble is known').waitFor()
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

  test('an outage is simulated in force and changed; a mistake in the change is named; upstreams are not called', async (t) => {
    const fixture = await withPage(t)
    const { page } = await open(t, fixture, '#/simulate')
    const form = page.locator('#simulate form')
    await form.locator('option[value=web]').waitFor({ state: 'attached' })
    const changes = page.getByLabel(/^Settings to change/)
    await changes.fill('upstreams: { web: { breakr: false } }')
    await page.getByRole('button', { name: 'Simulate', exact: true }).click()
    await page.getByText('upstreams.web.breakr: unknown key, did you mean "breaker"?').waitFor()
    await changes.fill('upstreams: { web: { breaker: false } }')
    await page.getByRole('button', { name: 'Simulate', exact: true }).click()
    await page
      .getByText(/^Of \d+ requests \d+ are served by the configuration in force, \d+ by the changed one/)
      .waitFor()
    expect(await page.locator('.simulated thead th').allTextContents()).toEqual(['Figure', 'in force', 'changed'])
    await page.getByLabel('a scenario, as YAML').check()
    expect(await page.getByLabel('Scenario', { exact: true }).inputValue()).toContain(
      '{ as: refused, from: 30s, lasts: 30s }',
    )
    expect(fixture.upstream.arrivals).toEqual([])
  })

  test("an upstream's view has the jobs that its responses told of", async (t) => {
    const routes = [
      { match: 'POST /jobs', creates: { id: { json: '/id' }, deadline: '60s' } },
      { match: 'GET /jobs/{id}', job: 'id' },
    ]
    const created = {
      status: 202,
      headers: { 'content-type': 'application/json' },
      body: '{"id":"j7","status":"queued"}',
    }
    const fixture = await withSidecar(t, [created], { web: { routes } })
    await ask(`${fixture.proxy.own('web')}/jobs`, { method: 'POST', body: '{}' })
    const { page } = await open(t, fixture, '#/upstreams/web')
    await page.getByText('1 job running, 1 known.').waitFor()
    expect(await page.locator('[data-job-of]').textContent()).toMatch(/web:j7 .* left$/)
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
      ['gs', 'Simulate an outage, or a change of the configuration'],
      ['?', 'Shortcuts'],
      ['gn', 'Upstreams'],
    ] as const) {
      for (const key of keys) await page.keyboard.press(key)
      await page.getByRole('heading', { name: title, exact: true }).waitFor()
    }
    await page.locator('#skip').focus()
    await page.keyboard.press('Enter')
    expect(await page.evaluate('[document.activeElement.id, location.hash]')).toEqual(['main', '#/'])
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
})

/** Every view of the page in a real browser, as axe sees it, on a desktop and a phone, in light and dark. */

import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { DESKTOP, hasChromium, type Look, PHONE } from '../support/browser.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { pages } from './pages.ts'
import { FAILS, withPage } from './with-page.ts'

needs('chromium', hasChromium)

describe.skipIf(!hasChromium)('the page', () => {
  const open = pages()

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
        ['#/requests', '#requests [data-request]'],
        [`#/requests/${requests[0].request_id}`, '.curl'],
        ['#/jobs', '[data-job=job-1]'],
        ['#/health', '#health-checks li'],
        ['#/config', '#config-diff li'],
        ['#/explain?path=/web/x', '.answer:not([hidden])'],
        ['#/simulate', '#simulate select'],
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
})

/** Violations that axe finds of WCAG 2.2 A and AA, and of its own best practices. */
async function faultsIn(page: Page): Promise<string[]> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found: axe.AxeResults = await page.evaluate(
    `axe.run({ runOnly: ${JSON.stringify(tags)}, resultTypes: ['violations'] })`,
  )
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
  )
}

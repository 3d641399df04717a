/** The page in a real browser, which the tests of a file share. */

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { DESKTOP, type Look, launch, openPage, type Tab, visit } from '../support/browser.ts'
import type { Scope } from '../support/scripted-upstream.ts'

type Open = (
  t: Scope,
  sidecar: { readonly proxy: { readonly controlUrl: string } },
  hash?: string,
  look?: Look,
  before?: readonly string[],
) => Promise<Tab>

/**
 * Call it in `describe`. The tests share one tab as well, which takes half the time: each has a sidecar with an origin of its own.
 * A test with scripts that run before the page gets a new one.
 * @returns opens a sidecar's page; its arguments are those of `openPage`.
 */
export function pages(): Open {
  let browser: Browser
  let shared: Page | undefined
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())
  return async (t, { proxy }, hash = '', look = DESKTOP, before = []) => {
    if (before.length > 0) return openPage(t, browser, proxy.controlUrl, look, before, hash)
    shared ??= await browser.newPage()
    const page = shared
    t.onTestFinished(async () => {
      page.removeAllListeners()
      await page.unrouteAll()
      await page.goto('about:blank')
    })
    return visit(page, `${proxy.controlUrl}/${hash}`, look)
  }
}

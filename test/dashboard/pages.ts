/** The page in a real browser, which the tests of a file share. */

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { DESKTOP, type Look, launch, openPage, type Tab } from '../support/browser.ts'
import type { Scope } from '../support/scripted-upstream.ts'

type Open = (
  t: Scope,
  sidecar: { readonly proxy: { readonly controlUrl: string } },
  hash?: string,
  look?: Look,
  before?: readonly string[],
) => Promise<Tab>

/** Call it in `describe`. @returns opens a sidecar's page; its arguments are those of `openPage`. */
export function pages(): Open {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())
  return (t, { proxy }, hash = '', look = DESKTOP, before = []) =>
    openPage(t, browser, proxy.controlUrl, look, before, hash)
}

/**
 * Saves the pictures of docs/page.md: eight situations of `situations.ts` as the page shows them on its first screen, four on a
 * laptop and four on a phone. `npm run docs:pictures`.
 */

import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { launch, type Look } from '../support/browser.ts'
import { LONG, type Situation, situationsOf, stage } from './situations.ts'

const FOLDER = fileURLToPath(new URL('../../docs/images/page/', import.meta.url))
const LAPTOP: Look = { width: 1366, height: 768, scheme: 'light' }
const PHONE: Look = { width: 390, height: 844, scheme: 'dark' }
/** Situations that are shown on a phone. */
const ON_PHONE = new Set(['route-broken', 'store-down', 'forced-breaker', 'overload'])
/** Largest picture, in bytes. */
const MAX_BYTES = 150 * 1024

mkdirSync(FOLDER, { recursive: true })
const browser = await launch()
for (const situation of situationsOf(LONG)) await save(browser, situation)
await browser.close()
process.exit()

async function save(browser: Browser, situation: Situation): Promise<void> {
  const cleanUps: (() => unknown)[] = []
  const { clock, proxy } = await stage({ onTestFinished: (cleanUp) => void cleanUps.push(cleanUp) }, situation)
  const { width, height, scheme } = ON_PHONE.has(situation.name) ? PHONE : LAPTOP
  const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' })
  await page.goto(`${proxy.controlUrl}/`)
  await page.getByText('live', { exact: true }).waitFor()
  await clock.advance(1_000)
  const sentence = page.locator('#sentence .sentence')
  await sentence
    .filter({ hasText: situation.says })
    .waitFor()
    .catch(async (error: unknown) => {
      throw new Error(`${situation.name} says: ${await sentence.textContent()}`, { cause: error })
    })
  await page.locator('#lanes li').first().waitFor()
  const path = `${FOLDER}${situation.name}.png`
  await page.screenshot({ path })
  const bytes = statSync(path).size
  const said = (await sentence.textContent())?.replace(/Runbook$/, '')
  process.stdout.write(`${situation.name} (${Math.round(bytes / 1024)} KiB): ${said}\n`)
  if (bytes > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES / 1024} KiB`)
  await page.close()
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}

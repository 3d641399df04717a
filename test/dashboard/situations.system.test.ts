/** The first screen of the page in eight situations, in a real browser. */

import { describe, expect, test } from 'vitest'
import { hasChromium } from '../support/browser.ts'
import { needs } from '../support/needs.ts'
import { pages } from './pages.ts'
import { SHORT, situationsOf, stage } from './situations.ts'

needs('chromium', hasChromium)

describe.skipIf(!hasChromium)('the page', () => {
  const open = pages()

  test.for(situationsOf(SHORT))('the first screen answers the four questions: $name', async (situation, t) => {
    const { clock, proxy } = await stage(t, situation)
    const { page, problems } = await open(t, { proxy }, '', { width: 1366, height: 768, scheme: 'light' })
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

import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Scope } from './scripted-upstream.ts'

const EXECUTABLE = '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-component-update']
const QUIET = ['--disable-background-networking', '--disable-sync']

/** Whether Debian's chromium package is installed. */
export const hasChromium = existsSync(EXECUTABLE)

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS, ...QUIET], env: { ...process.env, TZ: 'UTC' } })

export type Look = { readonly width: number; readonly height: number; readonly scheme: 'light' | 'dark' }
export const DESKTOP: Look = { width: 1360, height: 900, scheme: 'light' }
export const PHONE: Look = { width: 360, height: 780, scheme: 'dark' }

export type Tab = {
  readonly page: Page
  /** Errors and warnings of the console, and uncaught errors. */
  readonly problems: readonly string[]
  /** URLs requested so far. */
  readonly asked: readonly string[]
}

/**
 * Opens a sidecar's page in a new browser context.
 * @param before scripts that run before those of the page.
 * @param hash of a view, such as `#/jobs`.
 */
export async function openPage(
  t: Scope,
  browser: Browser,
  url: string,
  look: Look = DESKTOP,
  before: readonly string[] = [],
  hash = '',
): Promise<Tab> {
  const context = await browser.newContext()
  t.onTestFinished(() => context.close())
  const page = await context.newPage()
  for (const script of before) await page.addInitScript(script)
  return visit(page, `${url}/${hash}`, look)
}

/** Shows a URL in a tab that has no listeners yet. */
export async function visit(page: Page, url: string, { width, height, scheme }: Look): Promise<Tab> {
  await page.setViewportSize({ width, height })
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce', forcedColors: 'none' })
  const problems: string[] = []
  const asked: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text())
  })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('request', (request) => asked.push(request.url()))
  await page.goto(url)
  return { page, problems, asked }
}

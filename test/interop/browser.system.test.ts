import { describe, expect, test } from 'vitest'
import { hasChromium, launch } from '../support/browser.ts'
import { needs } from '../support/needs.ts'
import { sidecarBefore } from './between.ts'
import { bytesOf, echoUpstream, sha256Of } from './echo.ts'

needs('chromium', hasChromium)

describe.runIf(hasChromium)('a page behind the sidecar', () => {
  test('loads, and its requests are answered: fetch, forms, downloads, server-sent events', async (t) => {
    const { url } = await sidecarBefore(t, await echoUpstream(t))
    const browser = await launch()
    t.onTestFinished(() => browser.close())
    const page = await browser.newPage()
    await page.goto(`${url}/page`)
    expect(await page.title()).toBe('page')
    expect(await page.evaluate(IN_THE_PAGE)).toEqual({
      got: 'GET /echo?q=%20',
      posted: { method: 'POST', target: '/echo', bytes: 3_000_000 },
      parts: 'POST',
      head: '1000',
      missing: 404,
      redirected: '/echo/after',
      unzipped: 13_000,
      length: 5_000_000,
      sha256: sha256Of(bytesOf(5_000_000)),
      concurrent: 30,
      events: ['1', '2', '3'],
    })
  })
})

/** A script as text: what it uses is there only in a browser. */
const IN_THE_PAGE = `(async () => {
  const json = async (target, init) => (await fetch(target, init)).json()
  const got = await json('/echo?q=%20')
  const { method, target, bytes } = await json('/echo', { method: 'POST', body: new Uint8Array(3_000_000) })
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(100_000)]), 'audio.ogg')
  const parts = await json('/echo', { method: 'POST', body: form })
  const head = (await fetch('/bytes/1000', { method: 'HEAD' })).headers.get('content-length')
  const missing = (await fetch('/status/404')).status
  const redirected = (await json('/redirect')).target
  const unzipped = (await (await fetch('/gzip')).text()).length
  const download = await (await fetch('/stream/5000000')).arrayBuffer()
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', download))
  const many = await Promise.all(Array.from({ length: 30 }, (_, n) => json('/echo/' + n)))
  const events = []
  await new Promise((resolve) => {
    const source = new EventSource('/events')
    source.onmessage = ({ data }) => {
      events.push(data)
      if (data !== '3') return
      source.close()
      resolve()
    }
  })
  return {
    got: got.method + ' ' + got.target,
    posted: { method, target, bytes },
    parts: parts.method,
    head,
    missing,
    redirected,
    unzipped,
    length: download.byteLength,
    sha256: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
    concurrent: new Set(many.map((one) => one.target)).size,
    events,
  }
})()`

import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const TOP = { control: { listen: '127.0.0.1:0', token: 'secret' } }

async function control(t: Scope) {
  const { controlUrl } = await startProxy(t, { clock: fakeClock(), top: TOP, upstreams: { web: { url: 'http://x' } } })
  return controlUrl
}

test('the page and its files need no token, and refer to no other host', async (t) => {
  const at = await control(t)
  const page = await ask(`${at}/`)
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
  const html = page.body.toString()
  const files = [...html.matchAll(/(?:src|href)="([^":#]+)"/g)].map(([, path = '']) => path)
  expect(files).toContain('page/page.js')
  for (const path of files) {
    const { status, headers } = await ask(`${at}/${path}`)
    expect([path, status, headers['x-content-type-options']]).toEqual([path, 200, 'nosniff'])
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /)
  }
  expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org)|<style|<script>| style=| on\w+=/)
})

test('every script and style sheet of the page is served, and no other file of or above its folder', async (t) => {
  const at = await control(t)
  const names = readdirSync(join(import.meta.dirname, '../../src/dashboard'), { recursive: true, encoding: 'utf8' })
  for (const name of names.filter((name) => /\.(js|css)$/.test(name))) {
    expect((await ask(`${at}/page/${basename(name)}`)).status, name).toBe(200)
  }
  const refused = ['tsconfig.json', 'shapes.ts', 'index.html', '../main.ts', '..%2fmain.ts', '%2e%2e/main.ts', '']
  for (const name of refused) expect((await ask(`${at}/page/${name}`)).status, name).toBe(404)
})

test('a file with a matching If-None-Match is answered with 304 and no body', async (t) => {
  const at = await control(t)
  const { headers } = await ask(`${at}/page/uplot.js`)
  const { etag = '' } = headers
  expect(headers['cache-control']).toBe('no-cache')
  for (const given of [etag, `"x", W/${etag}`, '*']) {
    const again = await ask(`${at}/page/uplot.js`, { headers: { 'if-none-match': given } })
    expect([again.status, again.headers.etag, again.body.length]).toEqual([304, etag, 0])
    expect(again.headers['content-length']).toBeUndefined()
  }
  const changed = await ask(`${at}/page/uplot.js`, { headers: { 'if-none-match': '"x"' } })
  expect([changed.status, changed.body.length]).toEqual([200, Number(changed.headers['content-length'])])
})

test('/v1/checkpoints still needs the token, and the OpenAPI document does not list the page', async (t) => {
  const at = await control(t)
  expect((await ask(`${at}/v1/checkpoints`)).status).toBe(401)
  const document = await ask(`${at}/openapi.json`, { headers: { authorization: 'Bearer secret' } })
  expect(Object.keys(JSON.parse(document.body.toString()).paths)).not.toContainEqual(
    expect.stringMatching(/^\/(page\/.*)?$/),
  )
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { hasHttpx, PYTHON } from '../support/python.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { sidecarBefore, suiteScope } from './between.ts'
import { curl } from './curl.ts'
import { bytesOf, echoUpstream, sha256Of } from './echo.ts'
import { hasCurl, hasNginx, hasPython, run } from './programs.ts'
import { startFileServer, startGunicorn, startHttpServer, startNginx, startUvicorn } from './servers/start.ts'

const MIB = 1024 * 1024
const BIG = 8 * MIB
const UPLOAD = 5 * MIB

const hasUvicorn = hasPython('uvicorn')
const hasHttptools = hasPython('httptools')
const hasGunicorn = hasPython('gunicorn')
needs('curl', hasCurl)
needs('python3-httpx', hasHttpx)
needs('python3-uvicorn', hasUvicorn)
needs('python3-httptools', hasHttptools)
needs('gunicorn', hasGunicorn)
needs('nginx-light', hasNginx)

type Server = {
  readonly name: string
  readonly isThere: boolean
  readonly start: (t: Scope) => Promise<string>
  /** Whether it understands chunked requests. */
  readonly chunked?: boolean
}

const SERVERS: readonly Server[] = [
  { name: 'uvicorn on h11', isThere: hasUvicorn, start: (t) => startUvicorn(t, 'h11') },
  { name: 'uvicorn on httptools', isThere: hasUvicorn && hasHttptools, start: (t) => startUvicorn(t, 'httptools') },
  { name: 'gunicorn, sync worker', isThere: hasGunicorn, start: (t) => startGunicorn(t, 'sync') },
  { name: 'gunicorn, gthread worker', isThere: hasGunicorn, start: (t) => startGunicorn(t, 'gthread') },
  { name: 'node:http', isThere: true, start: (t) => echoUpstream(t) },
  { name: 'node:http that soon closes idle connections', isThere: true, start: (t) => echoUpstream(t, 3) },
  { name: 'nginx before node:http', isThere: hasNginx, start: (t) => startNginx(t, BIG) },
  { name: 'http.server', isThere: true, start: startHttpServer, chunked: false },
]

const UPLOADS = [
  { name: 'with Expect', args: ['-H', 'Expect: 100-continue'] },
  { name: 'without Expect', args: ['-H', 'Expect:'] },
  { name: 'without a length', args: ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked'] },
]

describe.runIf(hasCurl && hasHttpx)('behind the sidecar', () => {
  for (const { name, isThere, start, chunked = true } of SERVERS) {
    describe.runIf(isThere)(name, () => {
      const suite = suiteScope()
      let url: string
      let file: string
      beforeAll(async () => {
        url = (await sidecarBefore(suite, await start(suite))).url
        file = uploadIn(suite)
      })

      test('curl: downloads, 404 and 204 on one connection', async (t) => {
        const targets = [`/bytes/${BIG}`, `/stream/${BIG}`, '/missing', '/empty', '/echo']
        const { transfers } = await curl(t, url, targets)
        expect(transfers.map(({ status }) => status)).toEqual([200, 200, 404, 204, 200])
        expect(transfers.map(({ connects }) => connects)).toEqual([1, 0, 0, 0, 0])
        for (const { body } of transfers.slice(0, 2)) expect(body.equals(bytesOf(BIG))).toBe(true)
      })

      test('curl: HEAD', async (t) => {
        const { transfers } = await curl(t, url, ['/bytes/1000', '/bytes/1000'], ['-I'])
        for (const { status, fields } of transfers) expect([status, fields['content-length']]).toEqual([200, ['1000']])
        expect(transfers.map(({ connects }) => connects)).toEqual([1, 0])
      })

      test.each(UPLOADS.slice(0, chunked ? 3 : 2))('curl: uploads $name', async ({ args }) => {
        const { transfers } = await curl(suite, url, ['/echo', '/echo'], [...args, '--data-binary', `@${file}`])
        expect(transfers).toHaveLength(2)
        for (const { body } of transfers) {
          expect(JSON.parse(body.toString())).toMatchObject({ bytes: UPLOAD, sha256: sha256Of(bytesOf(UPLOAD)) })
        }
      })

      test('curl: 200 POSTs one after the other, none lost', async (t) => {
        const targets = Array.from({ length: 200 }, (_, n) => `/echo/${n}`)
        const { transfers } = await curl(t, url, targets, ['-d', 'a=1'])
        const answers = transfers.map(({ body }) => JSON.parse(body.toString()))
        expect(answers.map(({ method, target, bytes }) => [method, target, bytes])).toEqual(
          targets.map((target) => ['POST', target, 3]),
        )
        expect(transfers.filter(({ connects }) => connects > 0)).toHaveLength(1)
      })

      test('httpx: the same kinds of calls', async () => {
        const script = join(import.meta.dirname, 'servers/httpx_calls.py')
        const { stdout } = await run(PYTHON, [script, url, chunked ? 'chunked' : 'lengths'])
        expect(stdout.trim()).toBe('ok')
      })
    })
  }

  describe.runIf(hasNginx)('nginx', () => {
    const suite = suiteScope()
    let url: string
    let file: string
    beforeAll(async () => {
      url = (await sidecarBefore(suite, await startNginx(suite, BIG))).url
      file = uploadIn(suite)
    })

    test('a file, a part of it, and 304', async (t) => {
      const { transfers: whole } = await curl(
        t,
        url,
        Array.from({ length: 3 }, () => '/big'),
      )
      for (const { body } of whole) expect(body.equals(bytesOf(BIG))).toBe(true)
      const { transfers: part } = await curl(t, url, ['/big'], ['--range', '1000000-1999999'])
      expect(part[0]?.status).toBe(206)
      expect(part[0]?.body.equals(bytesOf(BIG).subarray(1_000_000, 2_000_000))).toBe(true)
      const tag = whole[0]?.fields.etag?.[0]
      const { transfers: known } = await curl(t, url, ['/big', '/big'], ['-H', `If-None-Match: ${tag}`])
      expect(known.map(({ status, connects }) => [status, connects])).toEqual([
        [304, 1],
        [304, 0],
      ])
    })

    test.each(UPLOADS)('an early 413 reaches curl: an upload $name', async ({ args }) => {
      for (let n = 0; n < 5; n += 1) {
        const { transfers } = await curl(suite, url, ['/small/x'], [...args, '--data-binary', `@${file}`])
        expect(transfers.map(({ status }) => status)).toEqual([413])
        expect(transfers[0]?.body.toString()).toContain('413 Request Entity Too Large')
      }
    })

    test('an early 413 reaches httpx', async () => {
      const script =
        'import httpx, sys; print([httpx.post(sys.argv[1], content=bytes(5000000)).status_code for _ in range(5)])'
      const { stdout } = await run(PYTHON, ['-c', script, `${url}/small/x`])
      expect(JSON.parse(stdout)).toEqual(Array.from({ length: 5 }, () => 413))
    })
  })

  test('python -m http.server: files, HEAD, 404 and 501', async (t) => {
    const { url } = await sidecarBefore(t, await startFileServer(t, BIG))
    const { transfers } = await curl(t, url, ['/big', '/missing', '/', '/big'])
    expect(transfers.map(({ status, connects }) => [status, connects])).toEqual([
      [200, 1],
      [404, 0],
      [200, 0],
      [200, 0],
    ])
    expect(transfers[3]?.body.equals(bytesOf(BIG))).toBe(true)
    const { transfers: heads } = await curl(t, url, ['/big', '/missing'], ['-I'])
    expect(heads.map(({ status, fields }) => [status, fields['content-length']?.[0]])).toEqual([
      [200, `${BIG}`],
      [404, expect.any(String)],
    ])
    const { transfers: posts } = await curl(t, url, ['/big', '/big'], ['-d', 'a=1'])
    expect(posts.map(({ status }) => status)).toEqual([501, 501])
  })
})

function uploadIn(t: Scope): string {
  const file = join(temporaryFolder(t), 'upload')
  writeFileSync(file, bytesOf(UPLOAD))
  return file
}

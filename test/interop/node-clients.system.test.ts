import { Agent as HttpAgent, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { Pool } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { sidecarBefore, suiteScope } from './between.ts'
import { bytesOf, type Echoed, echoUpstream, sha256Of } from './echo.ts'

const LARGE = bytesOf(5 * 1024 * 1024)
const LARGE_ECHOED = { bytes: LARGE.length, sha256: sha256Of(LARGE) }

function* parts(whole: Buffer) {
  for (let at = 0; at < whole.length; at += 70_001) yield whole.subarray(at, at + 70_001)
}

describe('clients of Node', () => {
  const suite = suiteScope()
  let url: string
  let port: number
  beforeAll(async () => {
    ;({ url, port } = await sidecarBefore(suite, await echoUpstream(suite)))
  })

  test('fetch: methods, bodies, redirects, codings and downloads', async () => {
    const echoed = async (target: string, init: RequestInit = {}): Promise<Echoed> =>
      (await (await fetch(`${url}${target}`, init)).json()) as Echoed
    expect(await echoed('/echo?q=%20')).toMatchObject({ method: 'GET', target: '/echo?q=%20', bytes: 0 })
    expect(await echoed('/echo', { method: 'PUT', body: LARGE })).toMatchObject({ chunked: false, ...LARGE_ECHOED })
    const streamed = { method: 'POST', body: Readable.toWeb(Readable.from(parts(LARGE))), duplex: 'half' }
    expect(await echoed('/echo', streamed as RequestInit)).toMatchObject({ chunked: true, ...LARGE_ECHOED })
    const form = new FormData()
    form.set('language', 'pt')
    form.set('file', new Blob([LARGE]), 'audio.ogg')
    expect((await echoed('/echo', { method: 'POST', body: form })).bytes).toBeGreaterThan(LARGE.length)
    expect((await fetch(`${url}/bytes/1000`, { method: 'HEAD' })).headers.get('content-length')).toBe('1000')
    expect(await echoed('/redirect')).toMatchObject({ target: '/echo/after' })
    expect(await (await fetch(`${url}/gzip`)).text()).toBe('compressible '.repeat(1_000))
    expect((await fetch(`${url}/status/204`)).status).toBe(204)
    expect((await fetch(`${url}/status/404`)).status).toBe(404)
    for (const kind of ['bytes', 'stream']) {
      const body = Buffer.from(await (await fetch(`${url}/${kind}/${LARGE.length}`)).arrayBuffer())
      expect(body.equals(LARGE)).toBe(true)
    }
  })

  test('fetch: 200 at once, then an aborted download, then one more', async () => {
    const many = Array.from({ length: 200 }, async (_, n) => (await fetch(`${url}/echo/${n}`)).json())
    expect((await Promise.all(many)).map((answer) => (answer as Echoed).target)).toEqual(
      Array.from({ length: 200 }, (_, n) => `/echo/${n}`),
    )
    const abort = new AbortController()
    const download = await fetch(`${url}/bytes/50000000`, { signal: abort.signal })
    abort.abort()
    await expect(download.arrayBuffer()).rejects.toThrow()
    expect((await fetch(`${url}/echo`)).status).toBe(200)
  })

  test('http.Agent with keepAlive: one connection for 300 requests of several kinds', async (t) => {
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 })
    t.onTestFinished(() => agent.destroy())
    const ports = new Set<number | undefined>()
    const send = (method: string, target: string, body?: Buffer | Readable) =>
      new Promise<Buffer>((resolve, reject) => {
        const outgoing = request(`${url}${target}`, { method, agent }, (response: IncomingMessage) => {
          ports.add(response.socket.localPort)
          resolve(buffer(response))
        })
        outgoing.on('error', reject)
        if (body instanceof Readable) body.pipe(outgoing)
        else outgoing.end(body)
      })
    for (let n = 0; n < 50; n += 1) {
      const body = bytesOf(n * 1_000)
      const echoed = { bytes: body.length, sha256: sha256Of(body) }
      expect(JSON.parse((await send('GET', `/echo/${n}`)).toString())).toMatchObject({ target: `/echo/${n}` })
      expect(JSON.parse((await send('POST', '/echo', body)).toString())).toMatchObject(echoed)
      expect(JSON.parse((await send('PUT', '/echo', Readable.from(parts(body)))).toString())).toMatchObject(echoed)
      expect((await send('HEAD', '/bytes/77')).length).toBe(0)
      expect((await send('GET', `/stream/${n * 1_000}`)).equals(body)).toBe(true)
      expect((await send('DELETE', '/status/204')).length).toBe(0)
    }
    expect(ports.size).toBe(1)
  })

  test('a Pool of undici with pipelining: each answer belongs to its request', async (t) => {
    const pool = new Pool(url, { connections: 2, pipelining: 10 })
    t.onTestFinished(() => pool.close())
    const targets = Array.from({ length: 300 }, (_, n) => (n % 3 === 0 ? `/stream/${n * 100}` : `/echo/${n}`))
    const answers = await Promise.all(
      targets.map(async (path) => text((await pool.request({ path, method: 'GET' })).body)),
    )
    for (const [n, answer] of answers.entries()) {
      if (n % 3 === 0) expect(Buffer.from(answer).equals(Buffer.from(bytesOf(n * 100).toString()))).toBe(true)
      else expect(JSON.parse(answer)).toMatchObject({ target: `/echo/${n}` })
    }
  })

  test.each([
    ['in one packet', (all: readonly string[]) => [all.join('')]],
    ['in packets that end anywhere', (all: readonly string[]) => all.join('').match(/.{1,37}/gs) ?? []],
  ])('ten pipelined requests %s are answered in order', async (_, packets) => {
    const raw = openRaw(port)
    const head = (line: string) => `${line} HTTP/1.1\r\nHost: x\r\n`
    const all = Array.from({ length: 10 }, (_, n) => {
      if (n === 3) return `${head('POST /echo/3')}Content-Length: 5\r\n\r\nhello`
      if (n === 5) return `${head('PUT /echo/5')}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
      if (n === 7) return `${head('HEAD /echo/7')}\r\n`
      return `${head(`GET /echo/${n}`)}${n === 9 ? 'Connection: close\r\n' : ''}\r\n`
    })
    for (const packet of packets(all)) raw.send(packet)
    expect(await raw.ended).toBe('end')
    expect(raw.received.match(/HTTP\/1\.1 200/g)).toHaveLength(10)
    const targets = [...raw.received.matchAll(/"target":"\/echo\/(\d)"/g)].map(([, n]) => Number(n))
    expect(targets).toEqual([0, 1, 2, 3, 4, 5, 6, 8, 9])
    expect(raw.received).toContain(sha256Of(Buffer.from('hello')))
    expect(raw.received).toContain(sha256Of(Buffer.from('abc')))
  })
})

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { getCACertificates, rootCertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { fixture, tlsUpstream as tlsUpstreamFor } from '../support/tls-upstream.ts'

const fixtures = join(import.meta.dirname, '../fixtures/tls')
const CA = join(fixtures, 'ca.pem')

async function tlsUpstream(t: Scope) {
  const names: (string | false | undefined)[] = []
  let connections = 0
  const certificate = {
    key: readFileSync(join(fixtures, 'server.key')),
    cert: readFileSync(join(fixtures, 'server.pem')),
  }
  const server = createServer(certificate, (request, response) => {
    names.push((request.socket as TLSSocket & { servername?: string | false }).servername)
    response.end(request.headers.host)
  })
  server.on('secureConnection', () => {
    connections += 1
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port, names, connections: () => connections }
}

async function withTls(t: Scope, tls: object) {
  const upstream = await tlsUpstream(t)
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: {
      web: { url: `https://127.0.0.1:${upstream.port}`, listen: '127.0.0.1:0', retry: { attempts: 1 }, tls },
    },
  })
  return { upstream, proxy, url: proxy.own('web') }
}

test("TLS: the certificate is checked with tls.ca and tls.servername, not the client's Host", async (t) => {
  const { upstream, url } = await withTls(t, { ca: CA, servername: 'web.internal' })
  const first = await ask(url, { headers: { host: 'attacker.example' } })
  const second = await ask(url, { headers: { host: 'other.example' } })
  expect(first.body.toString()).toBe(`127.0.0.1:${upstream.port}`)
  expect(second.status).toBe(200)
  expect(upstream.names).toEqual(['web.internal', 'web.internal'])
  expect(upstream.connections()).toBe(1)
})

test('TLS: an upstream by IP address needs no server name', async (t) => {
  const { upstream, url } = await withTls(t, { ca: CA })
  expect((await ask(url)).status).toBe(200)
  expect(upstream.names).toEqual([false])
})

test('TLS: tls.ca is added to the default CAs, for requests and health checks', async (t) => {
  const known = getCACertificates('default')
  setDefaultCACertificates([...known, readFileSync(CA, 'utf8')])
  t.onTestFinished(() => setDefaultCACertificates(known))
  const other = join(temporaryFolder(t), 'other.pem')
  writeFileSync(other, rootCertificates[0] ?? '')
  const { proxy, url } = await withTls(t, { ca: other })
  expect((await ask(url)).status).toBe(200)
  const health = await ask(`${proxy.controlUrl}/health`)
  expect(JSON.parse(health.body.toString()).checks.web).toMatchObject({ healthy: true, details: 'HTTP 200' })
})

test('TLS: a certificate of an unknown CA is refused', async (t) => {
  const { url } = await withTls(t, {})
  const answer = await ask(url)
  expect([answer.status, answer.headers['proxy-status']]).toEqual([502, 'breakwater; error=tls_certificate_error'])
  expect(problemOf(answer)).toMatchObject({ type: 'urn:breakwater:tls_certificate', attempts: 1 })
})

test('TLS: a certificate for another name is refused', async (t) => {
  const { url } = await withTls(t, { ca: CA, servername: 'elsewhere.internal' })
  expect((await ask(url)).headers['proxy-status']).toBe('breakwater; error=tls_certificate_error')
})

test('TLS: an upstream that does not speak TLS is a tls fault', async (t) => {
  const plain = await import('node:net').then(({ createServer: tcp }) =>
    tcp((socket) => socket.end('HTTP/1.1 400 no\r\n\r\n')),
  )
  const port = await listening(plain)
  t.onTestFinished(() => void plain.close())
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { web: { url: `https://127.0.0.1:${port}`, listen: '127.0.0.1:0', retry: { attempts: 1 } } },
  })
  expect((await ask(proxy.own('web'))).headers['proxy-status']).toBe('breakwater; error=tls_protocol_error')
})

test('TLS: a CA file that cannot be read, or has no certificate, stops the start with an error that names it', async (t) => {
  await expect(withTls(t, { ca: '/nowhere/ca.pem' })).rejects.toThrow(
    /^upstreams\.web\.tls\.ca: ENOENT.*\/nowhere\/ca\.pem/,
  )
  for (const ca of ['README.md', 'server.key'])
    await expect(withTls(t, { ca: fixture(ca) })).rejects.toThrow(
      /^upstreams\.web\.tls\.ca: the file has no certificate in PEM/,
    )
})

/** An upstream that wants a client certificate, and the settings with which the sidecar has one. */
async function mutualTls(t: Scope, name = 'client') {
  const folder = temporaryFolder(t)
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
  const put = (other: string) => {
    copyFileSync(fixture(`${other}.pem`), cert)
    copyFileSync(fixture(`${other}.key`), key)
  }
  put(name)
  const options = { requestCert: true, ca: readFileSync(fixture('ca.pem')) }
  const upstream = await tlsUpstreamFor(t, (_request, response) => response.end('ok'), options)
  const web = { url: `https://127.0.0.1:${upstream.port}`, listen: '127.0.0.1:0', health: { path: '/health' } }
  return { upstream, put, web: { ...web, tls: { ca: fixture('ca.pem'), cert, key } } }
}

test('TLS: the client certificate of tls.cert is shown to the upstream, by requests and health checks', async (t) => {
  const { upstream, web } = await mutualTls(t)
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web } })
  expect((await ask(proxy.own('web'))).status).toBe(200)
  expect((await ask(`${proxy.controlUrl}/health`)).status).toBe(200)
  expect(upstream.clients).toEqual(['sidecar', 'sidecar'])
})

test('TLS: without tls.cert an upstream that wants a client certificate refuses the connection', async (t) => {
  const { upstream, web } = await mutualTls(t)
  const tls = { ca: web.tls.ca }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web: { ...web, tls, retry: { attempts: 1 } } } })
  expect((await ask(proxy.own('web'))).status).toBe(502)
  expect(upstream.clients).toEqual([])
})

test('TLS: a reload reads a renewed certificate, and connects anew with it', async (t) => {
  const { upstream, put, web } = await mutualTls(t)
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web } })
  await ask(proxy.own('web'))
  await proxy.reload({})
  await ask(proxy.own('web'))
  put('later')
  await proxy.reload({})
  await ask(proxy.own('web'))
  expect(upstream.clients).toEqual(['sidecar', 'sidecar-later'])
})

test('TLS: a certificate that cannot be used stops the start with an error that names the key', async (t) => {
  const { web } = await mutualTls(t)
  const start = (tls: object) =>
    startProxy(t, { clock: fakeClock(), upstreams: { web: { ...web, tls: { ...web.tls, ...tls } } } })
  await expect(start({ key: fixture('later.key') })).rejects.toThrow(/^upstreams\.web\.tls\.cert: .*mismatch/)
  await expect(start({ cert: fixture('README.md') })).rejects.toThrow(/^upstreams\.web\.tls\.cert: /)
  await expect(start({ key: '/nowhere/key' })).rejects.toThrow(/^upstreams\.web\.tls\.key: ENOENT/)
})

test('GET /v1/config: shows the path of the private key alone', async (t) => {
  const { web } = await mutualTls(t)
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web } })
  const shown = (await ask(`${proxy.controlUrl}/v1/config`)).body.toString()
  expect(shown).toContain(web.tls.key)
  expect(shown).not.toContain('PRIVATE KEY')
})

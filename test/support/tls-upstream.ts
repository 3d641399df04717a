import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { TlsOptions, TLSSocket } from 'node:tls'
import { listening } from './ports.ts'
import type { Scope } from './scripted-upstream.ts'

const fixtures = join(import.meta.dirname, '../fixtures/tls/mutual')

/** Path of a certificate or key: `ca.pem`, `server.pem`, `client.pem`, `client.key`, … */
export const fixture = (name: string) => join(fixtures, name)

type TlsUpstream = {
  readonly port: number
  /** Server name of each connection; false without one. */
  readonly names: readonly (string | false)[]
  /** Common name of the client's certificate, for each connection; undefined without one. */
  readonly clients: readonly (string | undefined)[]
}

/** An HTTPS upstream with a certificate for `web.internal`, `127.0.0.1` and `::1`. */
export async function tlsUpstream(
  t: Scope,
  serve: RequestListener,
  options: TlsOptions = {},
  host = '127.0.0.1',
): Promise<TlsUpstream> {
  const certificate = { key: readFileSync(fixture('server.key')), cert: readFileSync(fixture('server.pem')) }
  const server = createServer({ ...certificate, ...options }, serve)
  const names: (string | false)[] = []
  const clients: (string | undefined)[] = []
  server.on('secureConnection', (socket: TLSSocket & { servername?: string | false }) => {
    names.push(socket.servername ?? false)
    const { subject } = socket.getPeerCertificate()
    clients.push(subject?.CN === undefined ? undefined : String(subject.CN))
  })
  const port = await listening(server, host)
  t.onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port, names, clients }
}

import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Certificate } from './certificate.ts'
import { CALL_ID } from './client.ts'
import type { Clock } from './clock.ts'
import { nextPort } from './ports.ts'

/** How a fault's upstream takes requests. */
export type Answers = {
  readonly request: RequestListener
  /** Takes a request that offers an upgrade. Without it the upstream treats such a request as any other. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void
}

export type Upstream = {
  readonly url: string
  /** Requests that have arrived. */
  calls(): number
  /** Calls with POST that arrived more than once. */
  repeatedPosts(): number
  /** Refuses connections for so many seconds. With `reset`, the requests under way are reset; otherwise they go on. */
  away(seconds: number, reset?: 'reset'): Promise<void>
  /** Answers no request for so many seconds, then those that have arrived. */
  pause(seconds: number): Promise<void>
  stop(): void
}

export async function startUpstream(answers: Answers, clock: Clock, certificate?: Certificate): Promise<Upstream> {
  const port = await nextPort()
  const ids = new Set<string>()
  const repeated = new Set<string>()
  let calls = 0
  let paused = Promise.resolve()

  const note = ({ method, headers }: IncomingMessage) => {
    calls += 1
    const id = String(headers[CALL_ID])
    if (method === 'POST' && ids.has(id)) repeated.add(id)
    ids.add(id)
  }
  const receive = async (request: IncomingMessage, response: ServerResponse) => {
    note(request)
    await paused
    answers.request(request, response)
  }

  const listen = async () => {
    const server = certificate === undefined ? createServer() : createTlsServer(certificate)
    server.on('request', (request, response) => {
      // As a process that ends would: a connection kept open by its last request would outlive the restart.
      response.on('close', () => server.listening || request.socket.end())
      void receive(request, response)
    })
    const { upgrade } = answers
    if (upgrade !== undefined) {
      server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
        note(request)
        upgrade(request, socket)
      })
    }
    server.listen(port, '127.0.0.1', 1024)
    await once(server, 'listening')
    return server
  }
  let server = await listen()

  return {
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    calls: () => calls,
    repeatedPosts: () => repeated.size,
    away: async (seconds, reset) => {
      server.close()
      if (reset === 'reset') server.closeAllConnections()
      await clock.sleep(seconds)
      server = await listen()
    },
    pause: (seconds) => {
      paused = clock.sleep(seconds)
      return paused
    },
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

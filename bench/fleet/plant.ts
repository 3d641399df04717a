/** The parts of the fleet bench: an upstream that notes its calls, sidecar processes, and a Redis whose end can be watched. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { firstAnswer } from '../machine/answers.ts'
import { freePort } from '../machine/ports.ts'
import type { Processes, Running } from '../machine/processes.ts'

export type NotedUpstream = {
  readonly port: number
  /** Monotonic ms of the arrival of each call, by its first path segment. */
  readonly arrivals: ReadonlyMap<string, number[]>
  /** Largest number of calls of the path `gpu` at once since the last `reset`. */
  readonly mostAtOnce: () => number
  readonly reset: () => void
}

/** Calls of the path `gpu` take that long, others are answered at once. */
const GPU_MS = 100

export async function notedUpstream(): Promise<NotedUpstream> {
  const arrivals = new Map<string, number[]>()
  let [atOnce, most] = [0, 0]
  const server = createServer((request, response) => {
    const path = request.url?.split('/')[1] ?? ''
    const known = arrivals.get(path) ?? []
    arrivals.set(path, known)
    known.push(performance.now())
    if (path !== 'gpu') return void response.end('ok')
    atOnce += 1
    most = Math.max(most, atOnce)
    response.on('close', () => {
      atOnce -= 1
    })
    setTimeout(() => response.end('ok'), GPU_MS)
  })
  const reset = () => {
    most = atOnce
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, arrivals, mostAtOnce: () => most, reset }
}

export type Pod = { readonly url: string; readonly running: Running }

/** A module that makes the clocks of its process wrong: the wall clock by hours, the monotonic one by its origin and thousandths of its pace. */
const wrongClock = (by: number) => `const [wall, now] = [Date.now, performance.now.bind(performance)]
Date.now = () => wall() + ${by * 3_600_000}
performance.now = () => now() * ${1 + by / 1_000} + ${Math.abs(by) * 1e6}
`

/**
 * Starts a sidecar and waits until it takes requests.
 * @param config the configuration, but for its listeners.
 * @param wrongBy hours by which its wall clock is wrong, and thousandths of its monotonic clock's pace.
 */
export async function startPod(
  name: string,
  config: object,
  folder: string,
  processes: Processes,
  wrongBy = 0,
): Promise<Pod> {
  const [port, control] = [await freePort(), await freePort()]
  const file = join(folder, `${name}.json`)
  const listeners = { listen: `127.0.0.1:${port}`, control: { listen: `127.0.0.1:${control}` } }
  const own = { checkpoints: { store: 'memory:' }, log: { level: 'error', access: false } }
  writeFileSync(file, JSON.stringify({ ...own, ...listeners, ...config }))
  const clock = join(folder, `${name}-clock.mjs`)
  writeFileSync(clock, wrongClock(wrongBy))
  const args = [...(wrongBy === 0 ? [] : ['--import', clock]), 'bin/breakwater.js', 'run', '--config', file]
  const running = processes.start({ file: process.execPath, args })
  await firstAnswer(control, '/readyz', 200, running)
  return { url: `http://127.0.0.1:${port}`, running }
}

/** Starts a redis-server that keeps nothing on disk. */
export async function startRedis(
  port: number,
  processes: Processes,
  further: readonly string[] = [],
): Promise<Running> {
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', '/tmp', ...further]
  const running = processes.start({ file: 'redis-server', args })
  await new Promise((resolve) => setTimeout(resolve, 300))
  return running
}

export type GuardedRedis = { readonly place: string; readonly master: Running }

const SENTINELS = 3

/** Starts a master with a replica, and three sentinels, of which two replace a master that is silent for a second. */
export async function startGuardedRedis(folder: string, processes: Processes): Promise<GuardedRedis> {
  const [port, replica] = [await freePort(), await freePort()]
  const master = await startRedis(port, processes)
  await startRedis(replica, processes, ['--replicaof', '127.0.0.1', `${port}`, '--repl-diskless-sync-delay', '0'])
  // Sentinels learn of a replica from its master, which has to know it before it is killed.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const ports = []
  for (let i = 0; i < SENTINELS; i += 1) {
    const own = await freePort()
    const file = join(folder, `sentinel${i}.conf`)
    const watched = [
      `monitor main 127.0.0.1 ${port} 2`,
      'down-after-milliseconds main 1000',
      'failover-timeout main 3000',
    ]
    writeFileSync(file, [`port ${own}`, 'bind 127.0.0.1', ...watched.map((line) => `sentinel ${line}`), ''].join('\n'))
    processes.start({ file: 'redis-server', args: [file, '--sentinel'] })
    ports.push(own)
  }
  const hosts = ports.map((one) => `127.0.0.1:${one}`).join(',')
  return { place: `redis+sentinel://${hosts}/main/0`, master }
}

/** Starts a Redis over TLS that asks for a client certificate. @returns the `fleet` settings to reach it. */
export async function startTlsRedis(processes: Processes): Promise<object> {
  const port = await freePort()
  const file = (name: string) => join(import.meta.dirname, '../../test/fixtures/tls/mutual', name)
  const own = ['--tls-cert-file', file('server.pem'), '--tls-key-file', file('server.key')]
  const clients = ['--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'yes']
  await startRedis(0, processes, ['--tls-port', `${port}`, ...own, ...clients])
  const tls = { ca: file('ca.pem'), servername: 'web.internal', cert: file('client.pem'), key: file('client.key') }
  return { redis: `rediss://127.0.0.1:${port}`, tls }
}

export type Got = { readonly status: number; readonly ms: number; readonly at: number }

const agent = new Agent({ keepAlive: true, maxSockets: 200 })

/** @returns status 0 when the sidecar is gone. */
function ask(url: string): Promise<Got> {
  const at = performance.now()
  return new Promise((resolve) => {
    const done = (status: number) => resolve({ status, ms: performance.now() - at, at })
    get(url, { agent }, (response) => response.resume().on('close', () => done(response.statusCode ?? 0))).on(
      'error',
      () => done(0),
    )
  })
}

/** Sends requests at random times for that long. @param target the url of one request; undefined to leave it out. */
export async function offer(perSecond: number, ms: number, target: () => string | undefined): Promise<Got[]> {
  const until = performance.now() + ms
  const all: Promise<Got>[] = []
  let at = performance.now()
  while (at < until) {
    at += (-Math.log(1 - Math.random()) * 1_000) / perSecond
    await new Promise((resolve) => setTimeout(resolve, Math.max(1, at - performance.now())))
    const url = target()
    if (url !== undefined) all.push(ask(url))
  }
  return Promise.all(all)
}

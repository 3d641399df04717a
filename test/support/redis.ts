import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { temporaryFolder } from './folder.ts'
import { freePort } from './ports.ts'
import type { Scope } from './scripted-upstream.ts'
import { until } from './until.ts'

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

export type RedisServer = {
  readonly port: number
  readonly process: ChildProcess
  /** Sends one command on a connection of its own, as `redis-cli` does. */
  command(...words: (string | number)[]): Promise<unknown>
  stop(): Promise<void>
}

export type RedisOptions = {
  /** For example the port of a server stopped before; a free port when not given. */
  readonly port?: number
  /** Further arguments of `redis-server`. */
  readonly config?: readonly string[]
  /** Configuration file to start with; none when not given. */
  readonly file?: string
  readonly password?: string
}

/** Starts a redis-server for one test; it takes commands when this resolves, and keeps nothing on disk. */
export async function startRedis(t: Scope, options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort())
  const folder = temporaryFolder(t)
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, ...(options.config ?? [])]
  const args = options.file === undefined ? [...own, '--save', ''] : [options.file, ...own]
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
  }
  t.onTestFinished(stop)
  await new Promise<void>((resolve, reject) => {
    let told = ''
    child.stdout?.on('data', (text) => {
      told += text
      if (/Ready to accept connections|\+monitor/.test(told)) resolve()
    })
    child.once('exit', () => reject(new Error(`redis-server ended:\n${told}`)))
  })
  const command = async (...[name = '', ...words]: (string | number)[]) => {
    const password = options.password
    const client = new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      // Never reconnect: a command fails with its connection, and its sender decides what to do.
      retryStrategy: () => null,
      connectTimeout: 2_000,
      commandTimeout: 10_000,
      ...(password === undefined ? {} : { password }),
    })
    client.on('error', () => {}) // `connect` or `call` rejects with it
    try {
      await client.connect()
      return await client.call(String(name), ...words)
    } finally {
      client.disconnect()
    }
  }
  return { port, process: child, command, stop }
}

/** Whether the server is a master by now. A sentinel cuts the clients of one that it promotes, this one, too. */
export const isMaster = async (server: RedisServer): Promise<boolean> =>
  String(await server.command('ROLE').catch(() => '')).startsWith('master')

type ClusterNode = RedisServer & { readonly bus: number }

/** Silence in ms after which a node takes another one for down: Redis' own default. */
const NODE_TIMEOUT_MS = 15_000

async function startNode(t: Scope, timeoutMs: number): Promise<ClusterNode> {
  const bus = await freePort()
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-node-timeout', `${timeoutMs}`]
  return { ...(await startRedis(t, { config: cluster })), bus }
}

/** Starts a cluster of three masters that share the slots. */
export async function startCluster(t: Scope, timeoutMs = NODE_TIMEOUT_MS): Promise<ClusterNode[]> {
  const nodes = await Promise.all([1, 2, 3].map(() => startNode(t, timeoutMs)))
  const [first] = nodes
  for (const [i, node] of nodes.entries()) {
    const edge = (n: number) => Math.floor((16_384 * n) / nodes.length)
    await node.command('CLUSTER', 'ADDSLOTSRANGE', edge(i), edge(i + 1) - 1)
    if (first !== undefined && node !== first) await node.command('CLUSTER', 'MEET', '127.0.0.1', first.port, first.bus)
  }
  for (const node of nodes)
    await until(async () => /cluster_state:ok/.test(String(await node.command('CLUSTER', 'INFO'))))
  return nodes
}

/** Adds a replica of one master to a cluster; it is synchronized when this resolves. */
export async function startReplicaOf(t: Scope, master: ClusterNode, timeoutMs = NODE_TIMEOUT_MS): Promise<RedisServer> {
  const replica = await startNode(t, timeoutMs)
  const id = String(await master.command('CLUSTER', 'MYID'))
  await replica.command('CLUSTER', 'MEET', '127.0.0.1', master.port, master.bus)
  await until(async () => String(await replica.command('CLUSTER', 'NODES')).includes(id))
  await replica.command('CLUSTER', 'REPLICATE', id)
  await until(async () => String(await master.command('INFO', 'replication')).includes('state=online'))
  await until(async () => /cluster_state:ok/.test(String(await replica.command('CLUSTER', 'INFO'))))
  return replica
}

/**
 * Starts a sentinel that watches a master by the name `main`.
 * @param quorum number of sentinels that must agree that the master is down; 1 when not given.
 * @param downAfterMs silence after which a sentinel takes the master for down.
 */
export async function startSentinel(
  t: Scope,
  masterPort: number,
  {
    quorum = 1,
    port,
    downAfterMs = 500,
  }: { readonly quorum?: number; readonly port?: number; readonly downAfterMs?: number } = {},
): Promise<RedisServer> {
  const file = join(temporaryFolder(t), 'sentinel.conf')
  const lines = [
    `monitor main 127.0.0.1 ${masterPort} ${quorum}`,
    `down-after-milliseconds main ${downAfterMs}`,
    'failover-timeout main 3000',
  ]
  writeFileSync(file, lines.map((line) => `sentinel ${line}\n`).join(''))
  return startRedis(t, { file, config: ['--sentinel'], ...(port === undefined ? {} : { port }) })
}

/** Starts a master, one synchronized replica, and three sentinels with a quorum of two. */
export async function startGuardedMaster(t: Scope) {
  const master = await startRedis(t)
  const replica = await startRedis(t, { config: ['--replicaof', '127.0.0.1', `${master.port}`] })
  await until(async () => String(await master.command('INFO', 'replication')).includes('state=online'))
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(t, master.port, { quorum: 2 })))
  for (const sentinel of sentinels)
    await until(async () => /slaves=1,sentinels=3/.test(String(await sentinel.command('INFO', 'sentinel'))))
  return { master, replica, sentinels }
}

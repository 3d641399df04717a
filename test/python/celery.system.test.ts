import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { expect, type TestContext, test } from 'vitest'
import { ask } from '../support/client.ts'
import { breakwater, configFile, listensAt } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { freePort, listening } from '../support/ports.ts'
import { hasCelery, hasHttpx, PYTHON, PYTHON_CLIENT } from '../support/python.ts'
import { hasRedis, type RedisServer, startRedis } from '../support/redis.ts'

const run = promisify(execFile)
const ITEMS = Array.from({ length: 50 }, (_, i) => `item-${i + 1}`)
const JOB = 'job-1'

/** Records the requested items, and calls `strike` at the first request for the item `fatal`. */
async function downloader(t: TestContext, fatal: string, strike: () => void) {
  const asked: string[] = []
  let finish = () => {}
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  const server = createServer((request, response) => {
    const [, kind, name = ''] = request.url?.split('/') ?? []
    if (kind === 'done') finish()
    else {
      asked.push(name)
      if (name === fatal && asked.filter((one) => one === fatal).length === 1) strike()
    }
    response.end(`the file of ${name}`)
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close().closeAllConnections())
  return { url: `http://127.0.0.1:${port}`, asked, done }
}

/** The sidecar as a process, always at the same addresses. */
async function startSidecar(t: TestContext, config: string): Promise<ChildProcess> {
  const command = breakwater(t, ['run', '--config', config])
  await listensAt(command, 'control.listen')
  return command.child
}

function startWorker(t: TestContext, env: Record<string, string>): ChildProcess {
  const options = ['--pool', 'solo', '--without-gossip', '--without-mingle', '--without-heartbeat', '-l', 'error']
  const worker = spawn(PYTHON, ['-m', 'celery', '-A', 'celery_tasks', 'worker', ...options], {
    cwd: import.meta.dirname,
    // Celery warns when it runs as root, as in CI.
    env: { ...process.env, ...env, PYTHONWARNINGS: 'ignore' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.onTestFinished(() => void worker.kill('SIGKILL'))
  return worker
}

async function sendTask(env: Record<string, string>): Promise<void> {
  const program = `import json, sys\nfrom celery_tasks import download\ndownload.delay(sys.argv[1], json.loads(sys.argv[2]))`
  const args = ['-c', program, JOB, JSON.stringify(ITEMS)]
  await run(PYTHON, args, { cwd: import.meta.dirname, env: { ...process.env, ...env } })
}

const hasAll = hasHttpx && hasRedis && hasCelery
needs('celery', hasCelery)

type Case = readonly [
  victim: 'worker' | 'sidecar',
  store: string,
  storeOf: (t: TestContext, redis: RedisServer) => string,
]
const inFile: Case[2] = (t) => `file:${temporaryFolder(t)}`
const inRedis: Case[2] = (_, { port }) => `redis://127.0.0.1:${port}/1`

test.runIf(hasAll).for<Case>([
  ['worker', 'the embedded store', inFile],
  ['worker', 'Redis', inRedis],
  ['sidecar', 'the embedded store', inFile],
  ['sidecar', 'Redis', inRedis],
])(
  'Celery: %s killed at item 45, checkpoints in %s: no acknowledged item is repeated, and none is missing',
  { timeout: 60_000 },
  async ([victim, , storeOf], t) => {
    const redis = await startRedis(t)
    let strike = () => {}
    const upstream = await downloader(t, 'item-45', () => strike())
    const [controlPort, port] = [await freePort(), await freePort()]
    const config = configFile(
      t,
      [
        'listen: false',
        `control: { listen: 127.0.0.1:${controlPort} }`,
        `checkpoints: { store: "${storeOf(t, redis)}" }`,
        `upstreams: { downloads: { url: ${upstream.url}, listen: 127.0.0.1:${port} } }`,
        '',
      ].join('\n'),
    )
    let sidecar = await startSidecar(t, config)
    const controlUrl = `http://127.0.0.1:${controlPort}`
    const env = {
      BROKER_URL: `redis://127.0.0.1:${redis.port}/0`,
      BREAKWATER_URL: controlUrl,
      DOWNLOADER_URL: `http://127.0.0.1:${port}`,
      PYTHONPATH: PYTHON_CLIENT,
      PYTHONDONTWRITEBYTECODE: '1',
    }
    const items = async (): Promise<string[]> =>
      JSON.parse((await ask(`${controlUrl}/v1/checkpoints/${JOB}`)).body.toString()).item_ids
    const worker = startWorker(t, env)
    const struck = new Promise<void>((resolve) => {
      strike = () => {
        const process = victim === 'worker' ? worker : sidecar
        process.once('exit', () => resolve())
        process.kill('SIGKILL')
      }
    })
    await sendTask(env)
    await struck
    if (victim === 'sidecar') sidecar = await startSidecar(t, config)
    const acknowledged = await items()
    if (victim === 'worker') {
      startWorker(t, env)
      await sendTask(env)
    }
    await upstream.done

    expect(acknowledged).toEqual(ITEMS.slice(0, 44))
    expect(await items()).toEqual(ITEMS)
    expect(upstream.asked).toEqual([...ITEMS.slice(0, 45), ...ITEMS.slice(44)])
  },
)

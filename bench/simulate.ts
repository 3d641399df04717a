/** Makes a log of a million requests with outages, replays it, and prints the time and memory of the replay. */

import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { simulateCommand } from '../src/commands/simulate.ts'
import { loadConfig } from '../src/config/load.ts'
import { createLog } from '../src/control/log/log.ts'
import { play } from '../src/simulate/play.ts'
import { loadScenario } from '../src/simulate/scenario.ts'

/** A terminal for `simulate`, which does not use it. */
const NO_TERMINAL = {
  write: () => {},
  isTerminal: () => false,
  isColoured: () => false,
  size: () => ({ columns: Infinity, rows: Infinity }),
  onResize: () => {},
  onKey: () => {},
  release: () => {},
}

const REQUESTS = Number(process.argv[2] ?? 1_000_000)
const RATE = 150

const CONFIG = `
upstreams:
  api:
    url: http://127.0.0.1:8000
    routes:
      - match: POST /jobs
        idempotent: true
      - match: GET /jobs/{id}
        failureWhen: { json: /status, in: [failed] }
`
const SCENARIO = JSON.stringify({
  lasts: `${Math.round(REQUESTS / RATE)}s`,
  traffic: [
    { upstream: 'api', request: 'POST /jobs', rate: RATE / 4, body: '10KiB' },
    { upstream: 'api', request: 'GET /jobs/{id}', rate: (3 * RATE) / 4 },
  ],
  upstreams: {
    api: {
      latency: { p50: '40ms', p99: '400ms' },
      faults: [
        { as: 'refused', from: '300s', lasts: '60s' },
        { as: 'silent', from: '900s', lasts: '30s' },
        { as: 'error', share: 0.01 },
      ],
    },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
try {
  const file = join(folder, 'access.jsonl')
  const lines = await writeLog(file)
  const configFile = join(folder, 'proxy.yaml')
  await written(configFile, CONFIG)
  const startedAt = performance.now()
  await simulateCommand.run(['--config', configFile, '--log', file], {
    env: {},
    version: '',
    write: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    input: () => '',
    hasScreen: false,
    terminal: NO_TERMINAL,
  })
  const seconds = (performance.now() - startedAt) / 1000
  const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`
  const peak = process.resourceUsage().maxRSS * 1024
  process.stdout.write(
    `\n${lines} lines, ${mib(statSync(file).size)}: ${seconds.toFixed(1)} s, peak memory ${mib(peak)}, including the making of the log\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}

/** Writes the access log of the scenario as the sidecar would. @returns the number of lines. */
async function writeLog(file: string): Promise<number> {
  const config = loadConfig(CONFIG, 'bench', {})
  const scenario = loadScenario(SCENARIO, 'bench')
  if (!config.ok || !scenario.ok) throw new Error('the bench is faulty')
  const out = createWriteStream(file)
  let wall = 0
  let lines = 0
  const logTo = {
    write: (line: string) => {
      lines += 1
      out.write(line)
    },
  }
  const log = createLog(
    { level: 'info', access: true, service: 'bench' },
    { ...systemClock, wallNow: () => wall },
    logTo,
  )
  await play(scenario.scenario, config.config, 1, (event, wallMs) => {
    wall = wallMs
    log.record(event)
  })
  out.end()
  await once(out, 'finish')
  return lines
}

async function written(file: string, text: string): Promise<void> {
  const out = createWriteStream(file)
  out.end(text)
  await once(out, 'finish')
}

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../machine/ports.ts'
import { nodeScript } from '../machine/scripts.ts'
import type { Contestant, Place } from './contestant.ts'

const PROGRAM = new URL('../../bin/breakwater.js', import.meta.url).href

type Setup = {
  readonly defaults: string
  readonly store?: (place: Place) => string
  /** A free port by default. */
  readonly controlPort?: number
  /** Whether each request gets a line in the log. */
  readonly access?: boolean
  /** Keys of the upstream, besides its url and listener. */
  readonly upstream?: string
  /** Share of traces that are recorded and sent to the origin, which discards them. Tracing is off by default. */
  readonly sample?: number
}

const sidecar = (name: string, setup: Setup): Contestant => ({
  letter: 'e',
  name,
  absence: existsSync(fileURLToPath(PROGRAM)) ? undefined : 'bin/breakwater.js does not exist',
  prepare: async (place) => {
    const file = join(place.folder, `breakwater-${place.port}.yaml`)
    const text = configuration(place, setup.controlPort ?? (await freePort()), setup)
    writeFileSync(file, setup.sample === undefined ? text : text + tracing(place, setup.sample))
    const { file: node, args } = nodeScript(PROGRAM, 'run', '--config', file)
    return { file: node, args: [...FLAGS, ...args] }
  },
})

/** Node's flags in `npm start` and in the image. */
const FLAGS = ['--max-semi-space-size=4']

const DEFAULTS = 'connections: { max: 64 }'

/** Breaker, retry, deadlines and metrics by default, and one upstream connection for each of the load's connections. */
export const breakwater = sidecar('Breakwater', { defaults: DEFAULTS })

/** Breakwater with a line in the log for each request. */
export const loggingBreakwater = sidecar('Breakwater, access log on', { defaults: DEFAULTS, access: true })

/** Breakwater whose metrics can be read. */
export const measuredBreakwater = (controlPort: number) => sidecar('Breakwater', { defaults: DEFAULTS, controlPort })

/** Breakwater without a limit that thousands of clients would meet. */
export const wideBreakwater = sidecar('Breakwater', {
  defaults: 'concurrency: { max: 6000 }',
})

/** Breakwater that holds polls of a job that never ends. */
export const holdingBreakwater = sidecar('Breakwater, polls held', {
  defaults: 'concurrency: { max: 3000 }',
  upstream: `    routes:
      - match: GET /json
        hold: { json: /status, in: [processing], upTo: 10m, every: 5m }
        clientTimeout: 15m
        timeout: { total: 15m }
`,
})

/** Breakwater with its checkpoints on disk. */
export const savingBreakwater = (controlPort: number) =>
  sidecar('Breakwater', {
    defaults: DEFAULTS,
    store: ({ folder, port }) => `file:${join(folder, `store-${port}`)}`,
    controlPort,
  })

/** Breakwater with a share of its traces recorded. @param sample from 0 to 1. */
export const tracedBreakwater = (sample: number, controlPort: number) =>
  sidecar(`Breakwater, ${sample * 100} % of traces recorded`, { defaults: DEFAULTS, sample, controlPort })

const tracing = ({ originPort }: Place, sample: number) =>
  `tracing: { endpoint: 'http://127.0.0.1:${originPort}', sample: ${sample} }\n`

/** Breakwater for a dead upstream: the breaker opens after the first requests and stays open. */
export const rejectingBreakwater = sidecar('Breakwater, breaker open', {
  defaults: `retry: { attempts: 1 }
  breaker: { openFor: 1h, openForMax: 1h }`,
})

/** Breakwater that relays and nothing else: faults of the origin open no breaker. */
export const plainBreakwater = sidecar('Breakwater', {
  defaults: `retry: { attempts: 1 }
  breaker: { consecutiveFailures: 100000, failureRate: false }`,
})

function configuration(place: Place, controlPort: number, setup: Setup): string {
  const { port, originPort } = place
  const { defaults, store = () => 'memory:', access = false, upstream = '' } = setup
  return `version: 1
listen: false
control: { listen: '127.0.0.1:${controlPort}' }
checkpoints: { store: '${store(place)}' }
log: { access: ${access} }
defaults:
  ${defaults}
upstreams:
  origin:
    url: http://127.0.0.1:${originPort}
    listen: 127.0.0.1:${port}
${upstream}`
}

import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { ending } from '../demo/ending.ts'
import { idleLateness, loadOfCores, SCALES, scaleFor } from '../demo/pace.ts'
import { type Result, type Setting, tell } from '../demo/story.ts'
import { command, type Surroundings } from './command.ts'
import { npxEnd } from './npx.ts'

type DemoOptions = {
  /** Configuration file; undefined for the shipped one. */
  readonly config: string | undefined
  /** File for the sidecar's log at full scale, which `simulate` can replay with that configuration. */
  readonly log: string | undefined
}

const SHIPPED = join(import.meta.dirname, '../../proxy.yaml')

export const demoCommand = command({
  name: 'demo',
  usage: `  breakwater demo [--config FILE] [--log FILE]
                                   run a demonstration of about a minute; --log FILE keeps its log for simulate
`,
  options: { config: { type: 'string' }, log: { type: 'string' } },
  allowPositionals: false,
  run: ({ config, log }, _positionals, surroundings) => demo({ config, log }, surroundings),
})

/**
 * Makes videos without the sidecar and then with it, before services that fail in the ways that the real ones do, and
 * shows what came of it side by side. Takes about a minute; needs nothing but this project. At a terminal the sidecar's page
 * stays until a signal.
 * When npx started it, it ends with its npx.
 * @returns the exit code: 0, 2 when a file cannot be read or written, or 130 when a signal ended it.
 */
async function demo({ config = SHIPPED, log }: DemoOptions, { env, write, hasScreen }: Surroundings): Promise<number> {
  const files = opened(config, log)
  if (files instanceof Error) {
    write(`${files.message}\n`)
    return 2
  }
  const { text, logFile } = files
  const logTo = (line: string) => void (logFile !== undefined && writeSync(logFile, line))
  const ended = new AbortController()
  const onSignal = () => ended.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  void npxEnd(env, systemClock).then(onSignal)
  const lateMs = await idleLateness()
  const load = loadOfCores()
  const scale = scaleFor(lateMs, load)
  write(
    'Three services as make-video knows them: they restart, block, limit, reset connections, and one runs out of workers\n' +
      'for a while. A client makes videos with them, first directly, then through the sidecar.\n' +
      `${paceLine(lateMs, load, scale)}\n\n`,
  )
  let page = ''
  const pageAt = (url: string) => {
    page = url
    write(`Watch it: ${url}\n`)
  }
  const direct = await run('direct     ', undefined)
  await direct.close()
  const sidecar = await run('breakwater ', { text, file: config, logTo, pageAt })
  const wasToldWhole = !ended.signal.aborted
  if (wasToldWhole) {
    write(`\n${table(direct.result, sidecar.result)}\n${ending(direct.result, sidecar.result, hasScreen ? page : '')}`)
    if (hasScreen) await staying(page, ended.signal)
  }
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  await sidecar.close()
  if (logFile !== undefined) closeSync(logFile)
  return wasToldWhole ? 0 : 130

  async function staying(url: string, signal: AbortSignal): Promise<void> {
    write(`\nThe page stays at ${url} until Ctrl-C.\n`)
    await once(signal, 'abort')
  }

  async function run(name: string, setting: Setting | undefined) {
    const progress = (done: number, finished: number, of: number) => {
      const line = `${name} ${bar(done, of)} ${done} of ${of} videos tried, ${finished} finished`
      if (hasScreen) write(`\r${line}`)
      else if (done % 6 === 0) write(`${line}\n`)
    }
    const outcome = await tell(setting, progress, ended.signal, scale)
    if (hasScreen) write('\n')
    return outcome
  }
}

function opened(config: string, log: string | undefined) {
  try {
    return { text: readFileSync(config, 'utf8'), logFile: log === undefined ? undefined : openSync(log, 'w') }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** The length of the services' second here, and why it is longer than usual. */
function paceLine(lateMs: number, load: number, scale: number): string {
  const pace = `One second of theirs lasts ${Math.round(scale * 1000)} ms here`
  if (scale <= SCALES[0]) return `${pace}.`
  return `${pace}, not ${SCALES[0] * 1000}: this machine is busy (timers ${lateMs.toFixed(0)} ms late, ${load.toFixed(1)} processes for each core). That takes\n${Math.round(scale / SCALES[0])} times as long.`
}

const bar = (done: number, of: number) => '#'.repeat(done).padEnd(of, '.')

type Row = readonly [name: string, direct: string | number, sidecar: string | number]

function table(direct: Result, sidecar: Result): string {
  const kinds = [...new Set([...direct.errors.keys(), ...sidecar.errors.keys()])].sort()
  const errors = (result: Result) => [...result.errors.values()].reduce((sum, count) => sum + count, 0)
  const rows: Row[] = [
    ['', 'direct', 'breakwater'],
    ['videos finished', `${direct.finished} of ${direct.videos}`, `${sidecar.finished} of ${sidecar.videos}`],
    ['errors that the client met', errors(direct), errors(sidecar)],
    ...kinds.map((kind): Row => [`  ${kind}`, direct.errors.get(kind) ?? 0, sidecar.errors.get(kind) ?? 0]),
    ['calls that reached a struggling upstream', direct.struggling, sidecar.struggling],
    ['calls to youtube-search', direct.calls.search, sidecar.calls.search],
    ['calls to video-downloader', direct.calls.downloader, sidecar.calls.downloader],
    ['calls to audio-transcriber', direct.calls.transcriber, sidecar.calls.transcriber],
    ['restarts of the services', direct.restarts, sidecar.restarts],
    ['times a breaker opened', '-', sidecar.breakerOpened],
    ['time', `${direct.seconds.toFixed(1)} s`, `${sidecar.seconds.toFixed(1)} s`],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows
    .map(([name, a, b]) => `${name.padEnd(width)}  ${String(a).padStart(12)}  ${String(b).padStart(12)}\n`)
    .join('')
}

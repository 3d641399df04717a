import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Result, type Setting, tell } from '../demo/story.ts'

export type DemoOptions = {
  /** The configuration's file; undefined for the shipped one. */
  readonly config: string | undefined
  /** Where the sidecar's log goes, at full scale: with that configuration `simulate` replays it. */
  readonly log: string | undefined
}

const SHIPPED = join(import.meta.dirname, '../../proxy.yaml')

/**
 * Makes videos without the sidecar and then with it, before services that fail in the ways that the real ones do, and
 * shows what came of it side by side. Takes about a minute; needs nothing but this project.
 * @param isTerminal whether progress may rewrite its line.
 * @returns the exit code: 0, 2 when a file cannot be read or written, or 130 when a signal ended it.
 */
export async function demo(
  { config = SHIPPED, log }: DemoOptions,
  write: (text: string) => void,
  isTerminal: boolean,
): Promise<number> {
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
  write(
    'Three services as make-video knows them: they restart, block, limit, reset connections, and one runs out of workers\n' +
      'for a while. A client makes videos with them, first directly, then through the sidecar.\n' +
      'One second of theirs lasts a twentieth of one here.\n\n',
  )
  const direct = await run('direct     ', undefined)
  const sidecar = await run('breakwater ', { text, file: config, logTo })
  if (logFile !== undefined) closeSync(logFile)
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  if (ended.signal.aborted) return 130
  write(`\n${table(direct, sidecar)}`)
  return 0

  async function run(name: string, setting: Setting | undefined): Promise<Result> {
    const progress = (done: number, finished: number, of: number) => {
      const line = `${name} ${bar(done, of)} ${done} of ${of} videos tried, ${finished} finished`
      if (isTerminal) write(`\r${line}`)
      else if (done % 6 === 0) write(`${line}\n`)
    }
    const result = await tell(setting, progress, ended.signal)
    if (isTerminal) write('\n')
    return result
  }
}

function opened(config: string, log: string | undefined) {
  try {
    return { text: readFileSync(config, 'utf8'), logFile: log === undefined ? undefined : openSync(log, 'w') }
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
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

import { type Result, tell } from '../demo/story.ts'

/**
 * Makes videos without the sidecar and then with it, before services that fail in the ways that the real ones do, and
 * shows what came of it side by side. Takes about a minute; needs nothing but this project.
 * @param isTerminal whether progress may rewrite its line.
 * @returns the exit code: 0, or 130 when a signal ended it.
 */
export async function demo(write: (text: string) => void, isTerminal: boolean): Promise<number> {
  const ended = new AbortController()
  const onSignal = () => ended.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  write(
    'Three services as make-video knows them: they restart, block, limit, reset connections, and one runs out of workers\n' +
      'for a while. A client makes videos with them, first directly, then through the sidecar with the shipped proxy.yaml.\n' +
      'One second of theirs lasts a twentieth of one here.\n\n',
  )
  const direct = await run('direct     ', false)
  const sidecar = await run('breakwater ', true)
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  if (ended.signal.aborted) return 130
  write(`\n${table(direct, sidecar)}`)
  return 0

  async function run(name: string, withSidecar: boolean): Promise<Result> {
    const progress = (done: number, finished: number, of: number) => {
      const line = `${name} ${bar(done, of)} ${done} of ${of} videos tried, ${finished} finished`
      if (isTerminal) write(`\r${line}`)
      else if (done % 6 === 0) write(`${line}\n`)
    }
    const result = await tell(withSidecar, progress, ended.signal)
    if (isTerminal) write('\n')
    return result
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

import { type Clock, isoTime, pause, systemClock } from '../../clock.ts'
import type { Api } from '../../dashboard/api.js'
import { causeOf, isTroubled, length, many, recent } from '../../dashboard/format.js'
import type { RequestView } from '../../dashboard/shapes.ts'
import { printed, type Span } from '../../top/spans.ts'
import { EXIT } from '../cli/exit-codes.ts'
import { command, type Surroundings, wholeNumber } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { ASKING_OPTIONS, ASKING_USAGE, asking, reasonOf, sidecarAt } from './sidecar.ts'
import { upstreamNamed } from './upstream-named.ts'

/** Time between two readings, in ms. */
const EVERY_MS = 1_000
/** Requests that the sidecar keeps. */
const MAX_READ = 300

export const tailCommand = command({
  name: 'tail',
  usage: `  breakwater tail [UPSTREAM] [--failed] [-n 10] [--no-follow] ${ASKING_USAGE}
                                   show requests as they end, after the last 10, until Ctrl-C; --failed: those that failed
                                   or were retried; --json: one object a line. At more than a hundred requests a second it says
                                   how many are not shown: some of those without trouble, and of those that were refused
                                   without an attempt. log.access has them all
`,
  options: {
    ...ASKING_OPTIONS,
    failed: { type: 'boolean', default: false },
    number: { type: 'string', short: 'n', default: '10' },
    'no-follow': { type: 'boolean', default: false },
  },
  allowPositionals: true,
  run: async (values, [upstream, ...others], surroundings) => {
    if (others.length > 0) throw new UsageError('expected one upstream at most')
    const first = wholeNumber('--number', values.number)
    const reading = new Reading(upstream, values.failed)
    const { write, terminal } = surroundings
    const show = (requests: readonly RequestView[]) => {
      const now = isoTime(systemClock.wallNow())
      for (const request of requests)
        write(
          values.json
            ? `${JSON.stringify(request)}\n`
            : printed([requestLine(request, now, upstream === undefined)], terminal.isColoured()),
        )
    }
    const code = await asking(values, surroundings, async (api, signal) => {
      if (upstream !== undefined) await upstreamNamed(upstream, api, signal)
      const { requests } = await reading.next(api, signal)
      show(first === 0 ? [] : requests.slice(-first))
      return EXIT.done
    })
    if (code !== EXIT.done || values['no-follow']) return code
    const ended = new AbortController()
    const end = () => ended.abort()
    process.once('SIGINT', end).once('SIGTERM', end)
    await follow(reading, sidecarAt(values, surroundings), show, surroundings, systemClock, ended.signal)
    process.off('SIGINT', end).off('SIGTERM', end)
    return EXIT.done
  },
})

/** Remembers which requests were shown. */
export class Reading {
  readonly #path: string
  readonly #onlyFailed: boolean
  #seen: ReadonlySet<string> = new Set()
  #leftOut: number | undefined

  constructor(upstream: string | undefined, onlyFailed: boolean) {
    const of = upstream === undefined ? '' : `&upstream=${encodeURIComponent(upstream)}`
    this.#path = `v1/requests?limit=${MAX_READ}${of}`
    this.#onlyFailed = onlyFailed
  }

  /**
   * @returns requests that ended since the last call, oldest first. `missed`: how many others there were, of all upstreams, that
   * the sidecar has not kept; after its restart, none. `isFull`: whether others may have come between.
   */
  async next(api: Api, signal: AbortSignal): Promise<{ requests: RequestView[]; missed: number; isFull: boolean }> {
    const answer: { requests: RequestView[]; left_out: number } = await api.get(this.#path, signal)
    const all = answer.requests
    const fresh = all.filter((request) => !this.#seen.has(keyOf(request)))
    const isFull = this.#leftOut !== undefined && fresh.length === MAX_READ
    const missed = Math.max(0, answer.left_out - (this.#leftOut ?? answer.left_out))
    this.#seen = new Set(all.map(keyOf))
    this.#leftOut = answer.left_out
    const requests = fresh.filter((request) => !this.#onlyFailed || isTroubled(request)).reverse()
    return { requests, missed, isFull }
  }
}

const keyOf = ({ at, request_id: id }: RequestView) => `${at} ${id}`

/** Goes on when the sidecar is away for a time: at a restart, that is what one waits for. */
export async function follow(
  reading: Reading,
  api: Api,
  show: (requests: readonly RequestView[]) => void,
  { complain }: Pick<Surroundings, 'complain'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let isLost = false
  while (!signal.aborted) {
    await pause(clock, EVERY_MS, signal)
    if (signal.aborted) return
    try {
      const { requests, missed, isFull } = await reading.next(api, signal)
      if (isLost) complain('breakwater: it answers again\n')
      isLost = false
      if (isFull) complain(`breakwater: more than ${MAX_READ} requests had trouble: some are not shown\n`)
      else if (missed > 0)
        complain(`breakwater: ${many(missed, 'request')} not shown: without trouble, or refused without an attempt\n`)
      show(requests)
    } catch (error) {
      if (signal.aborted) return
      if (!isLost) complain(`breakwater: lost: ${reasonOf(error)}; trying again\n`)
      isLost = true
    }
  }
}

function requestLine(request: RequestView, now: string, hasUpstream: boolean): Span[] {
  const { at, upstream, method, path, status, reason, attempts, total_ms: ms, history, request_id: id } = request
  const isBad = status >= 500 || reason !== null
  const outcomes = attempts < 2 ? '' : ` (${history.map(({ outcome }) => outcome).join(', ')})`
  return [
    [`${recent(at, now)}  `, 'faint'],
    [`${hasUpstream ? `${upstream} ` : ''}${method} ${path} `],
    [isBad ? causeOf(request) : String(status), isBad ? 'bad' : attempts > 1 ? 'warn' : 'good'],
    [`  ${many(attempts, 'attempt')}, ${length(ms)}${outcomes}  ${id}`, 'faint'],
  ]
}

import { systemClock } from '../clock.ts'
import { ApiError, type Api, createApi } from '../dashboard/api.js'
import { fold, freshState, type State } from '../dashboard/state.js'
import { type Link, frame } from '../top/frame.ts'

export type TopOptions = {
  /** Of the control listener. */
  readonly url: string
  /** '' for none. */
  readonly token: string
  /** One frame, and done. */
  readonly once: boolean
}

export type Terminal = {
  readonly write: (text: string) => void
  /** Whether there are keys to read and a screen to draw on. */
  readonly isTerminal: () => boolean
  readonly size: () => { readonly columns: number; readonly rows: number }
  readonly onResize: (draw: () => void) => void
  readonly onKey: (pressed: (key: string) => void) => void
  readonly release: () => void
}

const AGAIN_MS = 1_000
/** The other screen, without a cursor; and back (xterm's control sequences). */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'

/**
 * Shows the upstreams and the latest failures, anew with each second's sample, until q or a signal.
 * @returns the exit code: 0, or 1 when one frame was asked for and the sidecar gave none.
 */
export async function top(options: TopOptions, terminal: Terminal, complain: (text: string) => void): Promise<number> {
  const { url, token, once } = options
  const api = createApi(
    url,
    () => token,
    async () => false,
  )
  if (!once && terminal.isTerminal()) return watch(api, url, terminal)
  try {
    const state = await readOnce(api)
    terminal.write(`${frame(state, { url, link: 'live' }, { ...terminal.size(), rows: 40, isColoured: false })}\n`)
    return 0
  } catch (error) {
    complain(`breakwater: ${url}: ${reasonOf(error)}\n`)
    return 1
  }
}

async function readOnce(api: Api): Promise<State> {
  const state = freshState()
  const ended = new AbortController()
  for await (const event of api.events(ended.signal)) {
    fold(state, event)
    break // the first one is the history
  }
  ended.abort()
  await refresh(api, state)
  return state
}

async function refresh(api: Api, state: State): Promise<void> {
  const [{ upstreams }, { failures }] = await Promise.all([api.get('v1/upstreams'), api.get('v1/failures')])
  state.upstreams = upstreams
  state.failures = failures
}

async function watch(api: Api, url: string, terminal: Terminal): Promise<number> {
  const state = freshState()
  const ended = new AbortController()
  let link: Link = 'connecting'
  const draw = () => terminal.write(screen(frame(state, { url, link }, { ...terminal.size(), isColoured: true })))
  const end = () => ended.abort()
  terminal.write(ENTER)
  terminal.onResize(draw)
  terminal.onKey((key) => {
    if (key === 'q' || key === '\x03') end()
  })
  process.once('SIGINT', end).once('SIGTERM', end)
  while (!ended.signal.aborted) {
    try {
      for await (const event of api.events(ended.signal)) {
        fold(state, event)
        if (event.name !== 'sample' && event.name !== 'history') continue
        await refresh(api, state)
        link = 'live'
        draw()
      }
      link = 'lost: it ended the connection'
    } catch (error) {
      link = `lost: ${reasonOf(error)}`
    }
    draw()
    await pause(ended.signal)
  }
  terminal.release()
  terminal.write(LEAVE)
  process.off('SIGINT', end).off('SIGTERM', end)
  return 0
}

/** Line over line, so that nothing flickers. */
const screen = (lines: string) => `\x1b[H${lines.replaceAll('\n', '\x1b[K\r\n')}\x1b[K\x1b[J`

function pause(ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      systemClock.cancel(timer)
      ended.removeEventListener('abort', over)
      resolve()
    }
    const timer = systemClock.after(AGAIN_MS, over)
    ended.addEventListener('abort', over)
    if (ended.aborted) over()
  })
}

/** fetch says `fetch failed`, and why in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ApiError) return `${error.message} (${error.status})`
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}

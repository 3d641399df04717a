import { type Clock, systemClock, Watchdog } from '../clock.ts'
import type { Api } from '../dashboard/api.js'
import { fold, freshState, type State } from '../dashboard/state.js'
import { type Link, frame } from '../top/frame.ts'
import { command } from './command.ts'
import { reasonOf, SIDECAR_OPTIONS, SIDECAR_USAGE, sidecarAt } from './remote/sidecar.ts'
import type { Terminal } from './terminal.ts'

type TopOptions = {
  /** Address of the control listener. */
  readonly url: string
  readonly api: Api
  /** Whether to print one frame and end. */
  readonly once: boolean
}

const AGAIN_MS = 1_000
/** Silence in ms after which the sidecar counts as gone. Samples come each second. */
const SILENCE_MS = 10_000
/** xterm's control sequences: the other screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'

export const topCommand = command({
  name: 'top',
  usage: `  breakwater top ${SIDECAR_USAGE} [--once]
                                   watch a running sidecar; NAME: the environment variable with its control.token
`,
  options: {
    ...SIDECAR_OPTIONS,
    once: { type: 'boolean', default: false },
  },
  allowPositionals: false,
  run: (values, _positionals, surroundings) => {
    const { url, once } = values
    return top(
      { url, api: sidecarAt(values, surroundings), once },
      surroundings.terminal,
      systemClock,
      surroundings.complain,
    )
  },
})

/**
 * Shows upstreams and latest failures, redrawn each second, until q or a signal.
 * @returns the exit code: 0, or 1 when one frame was asked for and the sidecar gave none.
 */
export async function top(
  options: TopOptions,
  terminal: Terminal,
  clock: Clock,
  complain: (text: string) => void,
): Promise<number> {
  const { url, api, once } = options
  if (!once && terminal.isTerminal()) return watch(api, url, terminal, clock)
  const connection = heard(clock)
  try {
    const state = await readOnce(api, connection.signal)
    const { columns } = terminal.size()
    terminal.write(`${frame(state, { url, link: 'live' }, { columns, rows: Infinity, isColoured: false })}\n`)
    return 0
  } catch (error) {
    complain(`breakwater: ${url}: ${reasonOf(error)}\n`)
    return 1
  } finally {
    connection.end()
  }
}

/** A signal that aborts after too long a silence. */
function heard(clock: Clock) {
  let heardAt = clock.now()
  const silent = new AbortController()
  const watchdog = new Watchdog(
    clock,
    () => heardAt + SILENCE_MS,
    () => silent.abort(new Error(`silent for ${SILENCE_MS / 1000} s`)),
  )
  watchdog.watch()
  return {
    signal: silent.signal,
    again: () => {
      heardAt = clock.now()
    },
    end: () => watchdog.stop(),
  }
}

async function readOnce(api: Api, signal: AbortSignal): Promise<State> {
  const state = freshState()
  for await (const event of api.events(signal)) {
    fold(state, event)
    break // the first one is the history
  }
  await refresh(api, state, signal)
  return state
}

async function refresh(api: Api, state: State, signal: AbortSignal): Promise<void> {
  const read = (path: string) => api.get(path, signal)
  const [{ upstreams }, { failures }] = await Promise.all([read('v1/upstreams'), read('v1/failures')])
  state.upstreams = upstreams
  state.failures = failures
}

async function watch(api: Api, url: string, terminal: Terminal, clock: Clock): Promise<number> {
  const state = freshState()
  const ended = new AbortController()
  const isColoured = terminal.isColoured()
  let link: Link = 'connecting'
  const draw = () => terminal.write(screen(frame(state, { url, link }, { ...terminal.size(), isColoured })))
  const end = () => ended.abort()
  terminal.write(ENTER)
  draw()
  terminal.onResize(draw)
  terminal.onKey((key) => {
    if (key === 'q' || key === '\x03') end()
  })
  process.once('SIGINT', end).once('SIGTERM', end)
  while (!ended.signal.aborted) {
    const connection = heard(clock)
    const signal = AbortSignal.any([ended.signal, connection.signal])
    try {
      for await (const event of api.events(signal)) {
        connection.again()
        fold(state, event)
        if (event.name !== 'sample' && event.name !== 'history') continue
        await refresh(api, state, signal)
        link = 'live'
        draw()
      }
      link = 'lost: it ended the connection'
    } catch (error) {
      link = `lost: ${reasonOf(error)}`
    }
    connection.end()
    draw()
    await pause(clock, ended.signal)
  }
  terminal.release()
  terminal.write(LEAVE)
  process.off('SIGINT', end).off('SIGTERM', end)
  return 0
}

/** Draws line over line, without flicker. */
const screen = (lines: string) => `\x1b[H${lines.replaceAll('\n', '\x1b[K\r\n')}\x1b[K\x1b[J`

function pause(clock: Clock, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clock.cancel(timer)
      ended.removeEventListener('abort', over)
      resolve()
    }
    const timer = clock.after(AGAIN_MS, over)
    ended.addEventListener('abort', over)
    if (ended.aborted) over()
  })
}

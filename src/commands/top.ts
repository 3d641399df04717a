import { type Clock, pause, systemClock, Watchdog } from '../clock.ts'
import { type Api, ApiError } from '../dashboard/api.js'
import { fold, freshState } from '../dashboard/state.js'
import { type Link, frame, shownStandings } from '../top/frame.ts'
import { type Act, FRESH, press } from '../top/keys.ts'
import { EXIT } from './cli/exit-codes.ts'
import { command, type Surroundings } from './command.ts'
import { readState, refresh, REFRESH_ALL, type Section } from './remote/read-state.ts'
import { reasonOf, SIDECAR_OPTIONS, SIDECAR_USAGE, sidecarAt, unanswered } from './remote/sidecar.ts'
import type { Terminal } from './terminal.ts'

type TopOptions = {
  /** Address of the control listener. */
  readonly url: string
  readonly api: Api
  /** Variable with the token, for what is said when it is refused. */
  readonly 'token-env'?: string | undefined
  /** With the name of whoever forces breakers. */
  readonly env: Surroundings['env']
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
                                   watch a running sidecar, the worst upstream first. Keys: arrows choose, Enter looks into
                                   an upstream, Esc leaves it, / filters by name, f forces a breaker, q ends.
                                   NAME: the environment variable with its control.token; --once: one frame, for scripts
`,
  options: {
    ...SIDECAR_OPTIONS,
    once: { type: 'boolean', default: false },
  },
  allowPositionals: false,
  run: (values, _positionals, surroundings) => {
    const { url, once } = values
    return top(
      { url, 'token-env': values['token-env'], api: sidecarAt(values, surroundings), env: surroundings.env, once },
      surroundings.terminal,
      systemClock,
      surroundings.complain,
    )
  },
})

/**
 * Shows upstreams and latest failures, redrawn each second, until q or a signal.
 * @returns the exit code: 0, or 3 when one frame was asked for and the sidecar gave none.
 */
export async function top(
  options: TopOptions,
  terminal: Terminal,
  clock: Clock,
  complain: (text: string) => void,
): Promise<number> {
  const { url, api, once } = options
  if (!once && terminal.isTerminal()) return watch(options, terminal, clock)
  const connection = heard(clock)
  try {
    const state = await readState(api, connection.signal)
    const { columns } = terminal.size()
    terminal.write(`${frame(state, { url, link: 'live' }, { columns, rows: Infinity, isColoured: false })}\n`)
    return 0
  } catch (error) {
    complain(unanswered(options, error, options.env))
    return EXIT.unanswered
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

async function watch({ api, url, env }: TopOptions, terminal: Terminal, clock: Clock): Promise<number> {
  const state = freshState()
  const ended = new AbortController()
  const isColoured = terminal.isColoured()
  let link: Link = 'connecting'
  let view = FRESH
  const draw = () => terminal.write(screen(frame(state, { url, link }, { ...terminal.size(), isColoured }, view)))
  const end = () => ended.abort()
  terminal.write(ENTER)
  draw()
  terminal.onResize(draw)
  /** Does what keys ask for, and shows how it went. */
  async function act(wanted: Act): Promise<void> {
    if ('quit' in wanted) return end()
    const { force: name, order } = wanted
    const by = env.USER
    const body = by === undefined || by === '' ? order : { ...order, by }
    try {
      await api.call('PUT', `v1/upstreams/${encodeURIComponent(name)}/breaker`, body, ended.signal)
      await refresh(api, state, ended.signal, ['upstreams'])
      view = {
        ...view,
        message: `${name}: breaker set to ${order.mode}${order.for === undefined ? '' : ` for ${order.for}`}`,
      }
    } catch (error) {
      if (ended.signal.aborted) return
      const isAnswer = error instanceof ApiError
      view = {
        ...view,
        message: isAnswer
          ? `Not done: ${error.message}`
          : `No answer (${reasonOf(error)}): it is not known whether the breaker was set`,
      }
    }
    draw()
  }
  terminal.onKey((key) => {
    const pressed = press(
      view,
      key,
      shownStandings(state, view).map(({ upstream }) => upstream.name),
    )
    view = pressed.view
    if (pressed.act === undefined || !('quit' in pressed.act)) draw()
    if (pressed.act !== undefined) void act(pressed.act)
  })
  let seconds = 0
  process.once('SIGINT', end).once('SIGTERM', end)
  while (!ended.signal.aborted) {
    const connection = heard(clock)
    const signal = AbortSignal.any([ended.signal, connection.signal])
    try {
      for await (const event of api.events(signal)) {
        connection.again()
        fold(state, event)
        if (event.name !== 'sample' && event.name !== 'history') continue
        await refresh(api, state, signal, dueAt(seconds))
        seconds += 1
        link = 'live'
        draw()
      }
      link = 'lost: it ended the connection'
    } catch (error) {
      link = `lost: ${reasonOf(error)}`
    }
    connection.end()
    draw()
    await pause(clock, AGAIN_MS, ended.signal)
    seconds = 0
  }
  terminal.release()
  terminal.write(LEAVE)
  process.off('SIGINT', end).off('SIGTERM', end)
  return 0
}

/** Draws line over line, without flicker. */
const screen = (lines: string) => `\x1b[H${lines.replaceAll('\n', '\x1b[K\r\n')}\x1b[K\x1b[J`

/** Sections to read at a second: checks of health may call upstreams, so that they come seldom. */
function dueAt(second: number): readonly Section[] {
  if (second % 10 === 0) return REFRESH_ALL
  return second % 5 === 0 ? ['upstreams', 'failures', 'incidents'] : ['upstreams', 'failures']
}

import { type Clock, pause, systemClock, Watchdog } from '../clock.ts'
import { type Api, ApiError } from '../dashboard/api.js'
import { fold, freshState, type State } from '../dashboard/state.js'
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

async function watch(options: TopOptions, terminal: Terminal, clock: Clock): Promise<number> {
  const { api, url } = options
  const state = freshState()
  const ended = new AbortController()
  const isColoured = terminal.isColoured()
  let link: Link = 'connecting'
  let view = FRESH
  const draw = () => terminal.write(screen(frame(state, { url, link }, { ...terminal.size(), isColoured }, view)))
  const end = () => ended.abort()
  const say = (message: string) => {
    view = { ...view, message }
    draw()
  }
  terminal.write(ENTER)
  draw()
  terminal.onResize(draw)
  terminal.onKey((key) => {
    const names = shownStandings(state, view).map(({ upstream }) => upstream.name)
    const { view: next, act } = press(view, key, names)
    view = next
    if (act !== undefined && 'quit' in act) return end()
    draw()
    if (act !== undefined)
      void force(act, options, state, clock, ended.signal).then((message) => {
        if (!ended.signal.aborted) say(message)
      })
  })
  process.once('SIGINT', end).once('SIGTERM', end)
  while (!ended.signal.aborted) {
    link = await listen(api, state, clock, ended.signal, () => {
      link = 'live'
      draw()
    })
    draw()
    await pause(clock, AGAIN_MS, ended.signal)
  }
  terminal.release()
  terminal.write(LEAVE)
  process.off('SIGINT', end).off('SIGTERM', end)
  return EXIT.done
}

/** Follows the sidecar until the connection ends. @returns why it did. */
async function listen(api: Api, state: State, clock: Clock, ended: AbortSignal, changed: () => void): Promise<Link> {
  const connection = heard(clock)
  const signal = AbortSignal.any([ended, connection.signal])
  let seconds = 0
  try {
    for await (const event of api.events(signal)) {
      connection.again()
      fold(state, event)
      if (event.name !== 'sample' && event.name !== 'history') continue
      await refresh(api, state, signal, dueAt(seconds))
      seconds += 1
      changed()
    }
    return 'lost: it ended the connection'
  } catch (error) {
    return `lost: ${reasonOf(error)}`
  } finally {
    connection.end()
  }
}

/** @returns how it went. */
async function force(
  { force: name, order }: Extract<Act, { force: string }>,
  { api, env }: TopOptions,
  state: State,
  clock: Clock,
  ended: AbortSignal,
): Promise<string> {
  const by = env.USER
  const body = by === undefined || by === '' ? order : { ...order, by }
  const answer = heard(clock)
  const signal = AbortSignal.any([ended, answer.signal])
  try {
    await api.call('PUT', `v1/upstreams/${encodeURIComponent(name)}/breaker`, body, signal)
    await refresh(api, state, signal, ['upstreams'])
    return `${name}: breaker set to ${order.mode}${order.for === undefined ? '' : ` for ${order.for}`}`
  } catch (error) {
    return error instanceof ApiError
      ? `Not done: ${error.message}`
      : `No answer (${reasonOf(error)}): it is not known whether the breaker was set`
  } finally {
    answer.end()
  }
}

/** Draws line over line, without flicker. */
const screen = (lines: string) => `\x1b[H${lines.replaceAll('\n', '\x1b[K\r\n')}\x1b[K\x1b[J`

/** Sections to read at a second: checks of health may call upstreams, so that they come seldom. */
function dueAt(second: number): readonly Section[] {
  if (second % 10 === 0) return REFRESH_ALL
  return second % 5 === 0 ? ['upstreams', 'failures', 'incidents'] : ['upstreams', 'failures']
}

/** One screen of `breakwater top` as text. */

import {
  breakerName,
  breakerWords,
  causeOf,
  count,
  errorPercent,
  lately,
  length,
  many,
  NONE,
  recent,
  share,
  stateWords,
  timeOfDay,
  worstState,
} from '../dashboard/format.js'
import type { BreakerView, Failure, UpstreamView } from '../dashboard/shapes.ts'
import type { State } from '../dashboard/state.js'

export type Link = 'live' | 'connecting' | `lost: ${string}`
type Style = 'good' | 'warn' | 'bad' | 'faint' | 'strong'
/** A piece of a line, and its style. */
type Span = readonly [text: string, style?: Style]
type Column = {
  readonly title: string
  readonly width: number
  readonly isRight: boolean
  readonly of: (upstream: UpstreamView, state: State) => Span
}

/** Select Graphic Rendition (ECMA-48 section 8.3.117). */
const CODES: Readonly<Record<Style, number>> = { good: 32, warn: 33, bad: 31, faint: 2, strong: 1 }
const STATE_STYLES = { closed: 'good', 'half-open': 'warn', open: 'bad' } as const
/** Seconds over which rates, ratios and the trend are computed. */
const RATE_S = 10
const TREND_S = 60
const TREND_WIDTH = 20
const NAME_WIDTH = 20
const LEVELS = '▁▂▃▄▅▆▇█'

const figure = (title: string, width: number, of: (upstream: UpstreamView, state: State) => string): Column => ({
  title,
  width,
  isRight: true,
  of: (upstream, state) => [of(upstream, state)],
})

/** Columns beside the names, most important first: a narrow screen has the first ones. */
const COLUMNS: readonly Column[] = [
  { title: 'BREAKER', width: 16, isRight: false, of: breakerOf },
  figure('REQ/S', 6, ({ name }, { samples }) => perSecond(samples, name, 'requests')),
  figure('FAILED', 6, ({ name }, { samples }) => share(errorPercent(lately(samples, name, TREND_S)))),
  figure('P99', 7, ({ latency_ms }) => length(latency_ms.p99)),
  figure('FLIGHT', 6, ({ in_flight }) => count(in_flight)),
  figure('QUEUE', 5, ({ queued }) => count(queued)),
  figure('BUDGET', 6, ({ retry_budget }) => count(retry_budget)),
  figure('HELD', 4, ({ held }) => count(held)),
  figure('ATT/S', 6, ({ name }, { samples }) => perSecond(samples, name, 'attempts')),
  figure('P50', 7, ({ latency_ms }) => length(latency_ms.p50)),
  {
    title: 'LAST MINUTE',
    width: TREND_WIDTH,
    isRight: false,
    of: ({ name }, { samples }) => [trend(samples, name)],
  },
]

/** Columns that fit whole. Names get the rest. */
function columnsWithin(width: number, upstreams: readonly UpstreamView[]): Column[] {
  const others = COLUMNS.reduce((sum, column) => sum + 1 + column.width, 0)
  const longest = Math.max(NAME_WIDTH, ...upstreams.map(({ name }) => name.length))
  const nameWidth = Math.max(NAME_WIDTH, Math.min(longest, width - others))
  const names: Column = {
    title: 'UPSTREAM',
    width: nameWidth,
    isRight: false,
    of: ({ name }) => [shortened(name, nameWidth), 'strong'],
  }
  let taken = 0
  return [names, ...COLUMNS].filter((column) => {
    taken += column.width + 1
    return taken <= width + 1
  })
}

/** Shortens a name in the middle: names often differ at their ends. */
function shortened(name: string, width: number): string {
  const tail = Math.floor((width - 1) / 2)
  return name.length <= width ? name : `${name.slice(0, width - 1 - tail)}…${name.slice(-tail)}`
}

/**
 * @param about address of the sidecar, and whether it answers.
 * @param screen in characters; lines are cut and failures left out where they do not fit.
 */
export function frame(
  state: State,
  { url, link }: { readonly url: string; readonly link: Link },
  screen: { readonly columns: number; readonly rows: number; readonly isColoured: boolean },
): string {
  const at = state.samples.at(-1)?.at
  const head: Span[] = [
    ['breakwater', 'strong'],
    [`  ${url}  ${at === undefined ? '' : timeOfDay(at)}  `],
    [link, link === 'live' ? 'good' : 'bad'],
  ]
  const columns = columnsWithin(screen.columns, state.upstreams)
  const titles: Span[] = columns.map((column) => [padded(column.title, column), 'faint'])
  const rows = state.upstreams.map((upstream) => columns.map((column) => cell(column, upstream, state)))
  const breakers = state.upstreams.flatMap((upstream) =>
    upstream.breakers
      .filter((breaker) => breakerWords(breaker) !== 'closed')
      .map((breaker) => breakerLine(upstream, breaker)),
  )
  const kinds = failureKinds(state.failures)
  const failures =
    kinds.length === 0
      ? []
      : [[], [['RECENT FAILURES', 'faint'] as Span], ...kinds.map((kind) => failureLine(kind, at))]
  const above = [head, [], titles, ...rows, ...(breakers.length === 0 ? [] : [[], ...breakers])]
  const missing = above.length - screen.rows
  const shown =
    missing > 0
      ? [...above.slice(0, Math.max(0, screen.rows - 1)), [[`… ${many(missing + 1, 'more line')}`, 'faint'] as Span]]
      : [...above, ...failures].slice(0, screen.rows)
  return shown.map((spans) => drawn(spans, screen.columns, screen.isColoured)).join('\n')
}

function cell(column: Column, upstream: UpstreamView, state: State): Span {
  const [text, style] = column.of(upstream, state)
  return style === undefined ? [padded(text, column)] : [padded(text, column), style]
}

/** With a space after it. */
function padded(text: string, { width, isRight }: Column): string {
  const fitting = text.length > width ? `${text.slice(0, width - 1)}…` : text
  return `${isRight ? fitting.padStart(width) : fitting.padEnd(width)} `
}

function breakerOf(upstream: UpstreamView): Span {
  const words = stateWords(upstream)
  const worst = worstState(upstream)
  return [words, worst === 'closed' && words !== 'closed' ? 'warn' : STATE_STYLES[worst]]
}

function breakerLine({ name, breakers }: UpstreamView, breaker: BreakerView): Span[] {
  return [[`${name}, ${breakerName(breaker, breakers)}: `], [breakerWords(breaker), STATE_STYLES[breaker.state]]]
}

type Kind = { readonly newest: Failure; readonly count: number }

/** One failure per upstream, route and reason: an open breaker makes thousands of the same. */
function failureKinds(newestFirst: readonly Failure[]): Kind[] {
  const kinds = Map.groupBy(newestFirst, (failure) => `${failure.upstream} ${failure.route} ${causeOf(failure)}`)
  return [...kinds.values()].flatMap(([newest, ...older]) =>
    newest === undefined ? [] : [{ newest, count: older.length + 1 }],
  )
}

/** With the outcomes of the newest failure's attempts. */
function failureLine({ newest, count: alike }: Kind, now: string | undefined): Span[] {
  const { at, upstream, method, path, attempts, total_ms, history } = newest
  const outcomes = history.map(({ outcome, ms }) => `${outcome} ${length(ms)}`).join(', ')
  return [
    [`${recent(at, now)} `, 'faint'],
    [`${upstream} ${method} ${path} `],
    [causeOf(newest), 'bad'],
    [alike === 1 ? '' : ` ×${alike}`],
    [` ${many(attempts, 'attempt')}, ${length(total_ms)}${outcomes === '' ? '' : ` (${outcomes})`}`, 'faint'],
  ]
}

function perSecond(samples: State['samples'], name: string, what: 'requests' | 'attempts'): string {
  const known = Math.min(RATE_S, samples.length)
  return known === 0 ? NONE : count(lately(samples, name, RATE_S)[what] / known)
}

/** Requests per second, one character per twentieth of a minute, relative to their maximum. */
function trend(samples: State['samples'], name: string): string {
  const minute = samples.slice(-TREND_S)
  const step = TREND_S / TREND_WIDTH
  const sums = Array.from({ length: Math.ceil(minute.length / step) }, (_, i) => {
    const end = minute.length - i * step
    return lately(minute.slice(Math.max(0, end - step), end), name, step).requests
  }).reverse()
  const most = Math.max(1, ...sums)
  return sums.map((sum) => LEVELS[Math.round((sum / most) * (LEVELS.length - 1))]).join('')
}

/** One line, cut to the columns. Control characters of an upstream's or a client's text are replaced. */
function drawn(spans: readonly Span[], columns: number, isColoured: boolean): string {
  let room = columns
  return spans
    .map(([text, style]) => {
      const shown = text.replace(/\p{Cc}/gu, '�').slice(0, room)
      room -= shown.length
      return style === undefined || !isColoured || shown === '' ? shown : `\x1b[${CODES[style]}m${shown}\x1b[0m`
    })
    .join('')
    .trimEnd()
}

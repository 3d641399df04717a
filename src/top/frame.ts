/** The first screen of `breakwater top` as text: all upstreams, worst first. */

import { badgeOf } from '../dashboard/badges.js'
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
  timeOfDay,
} from '../dashboard/format.js'
import { lineOf, sentenceOf } from '../dashboard/sentence.js'
import { type Standing, standingsOf, troublesOf } from '../dashboard/situation.js'
import type { BreakerView, Failure, UpstreamView } from '../dashboard/shapes.ts'
import type { State } from '../dashboard/state.js'
import { bottomLine, FRESH, meantBy, type View } from './keys.ts'
import { drawn, type Span, STYLES } from './spans.ts'
import { upstreamLines } from './upstream-frame.ts'

export type Link = 'live' | 'connecting' | `lost: ${string}`
type Column = {
  readonly title: string
  readonly width: number
  readonly isRight: boolean
  readonly of: (standing: Standing, state: State) => Span
}

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
  of: ({ upstream }, state) => [of(upstream, state)],
})

/** Columns beside the names, most important first: a narrow screen has the first ones. */
const COLUMNS: readonly Column[] = [
  { title: 'STATE', width: 16, isRight: false, of: stateOf },
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
    of: ({ upstream }, { samples }) => [trend(samples, upstream.name)],
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
    of: ({ upstream }) => [shortened(upstream.name, nameWidth), 'strong'],
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

/** Upstreams as the list shows them: worst first, those that the filter leaves. */
export const shownStandings = (state: State, { filter }: View): Standing[] =>
  standingsOf(state).filter(({ upstream }) => upstream.name.includes(filter))

/**
 * @param about address of the sidecar, and whether it answers.
 * @param screen in characters; lines are cut and failures left out where they do not fit.
 * @param view undefined where there are no keys.
 */
export function frame(
  state: State,
  { url, link }: { readonly url: string; readonly link: Link },
  screen: { readonly columns: number; readonly rows: number; readonly isColoured: boolean },
  view?: View,
): string {
  const rows = view === undefined ? screen.rows : screen.rows - 1
  const at = state.samples.at(-1)?.at
  const head: Span[] = [
    ['breakwater', 'strong'],
    [`  ${url}  ${at === undefined ? '' : timeOfDay(at)}  `],
    [link, link === 'live' ? 'good' : 'bad'],
  ]
  const inside =
    view?.inside === undefined ? undefined : standingsOf(state).find(({ upstream }) => upstream.name === view.inside)
  const lines =
    inside === undefined
      ? listLines(state, head, link, { columns: screen.columns, rows }, view ?? FRESH, view !== undefined)
      : [head, [], ...upstreamLines(inside, state)].slice(0, rows)
  const bottom: Span[][] = view === undefined ? [] : [[[bottomLine(view), view.message === '' ? 'faint' : 'strong']]]
  const above =
    view === undefined ? lines : [...lines, ...Array.from({ length: Math.max(0, rows - lines.length) }, () => [])]
  return [...above, ...bottom].map((spans) => drawn(spans, screen.columns, screen.isColoured)).join('\n')
}

function listLines(
  state: State,
  head: readonly Span[],
  link: Link,
  screen: { readonly columns: number; readonly rows: number },
  view: View,
  hasKeys: boolean,
): (readonly Span[])[] {
  const at = state.samples.at(-1)?.at
  const standings = shownStandings(state, view)
  const meant = hasKeys
    ? meantBy(
        view,
        standings.map(({ upstream }) => upstream.name),
      )
    : undefined
  const columns = columnsWithin(
    screen.columns,
    standings.map(({ upstream }) => upstream),
  )
  const titles: Span[] = columns.map((column) => [padded(column.title, column), 'faint'])
  const rows = standings.map((standing) =>
    columns.map((column, i): Span => {
      const [text, style] = cell(column, standing, state)
      return i === 0 && standing.upstream.name === meant
        ? [text, 'chosen']
        : style === undefined
          ? [text]
          : [text, style]
    }),
  )
  const breakers = standings.flatMap(({ upstream }) =>
    upstream.breakers
      .filter((breaker) => breakerWords(breaker) !== 'closed')
      .map((breaker) => breakerLine(upstream, breaker)),
  )
  const kinds = failureKinds(state.failures.filter(({ upstream }) => upstream.includes(view.filter)))
  const failures =
    kinds.length === 0
      ? []
      : [[], [['RECENT FAILURES', 'faint'] as Span], ...kinds.map((kind) => failureLine(kind, at))]
  const said = link === 'live' ? sentenceLine(state) : []
  const above = [head, said, titles, ...rows, ...(breakers.length === 0 ? [] : [[], ...breakers])]
  const missing = above.length - screen.rows
  return missing > 0
    ? [...above.slice(0, Math.max(0, screen.rows - 1)), [[`… ${many(missing + 1, 'more line')}`, 'faint'] as Span]]
    : [...above, ...failures].slice(0, screen.rows)
}

/** As at the top of the page. */
function sentenceLine(state: State): Span[] {
  const troubles = troublesOf(state, { now: 'live', detail: '', since: undefined })
  const sentence = sentenceOf(state, troubles)
  return [[lineOf(sentence, Math.max(0, troubles.length - 1)), STYLES[sentence.tone] ?? 'strong']]
}

function cell(column: Column, standing: Standing, state: State): Span {
  const [text, style] = column.of(standing, state)
  return style === undefined ? [padded(text, column)] : [padded(text, column), style]
}

/** With a space after it. */
function padded(text: string, { width, isRight }: Column): string {
  const fitting = text.length > width ? `${text.slice(0, width - 1)}…` : text
  return `${isRight ? fitting.padStart(width) : fitting.padEnd(width)} `
}

function stateOf(standing: Standing): Span {
  const { words, look } = badgeOf(standing)
  return [words, STYLES[look] ?? 'strong']
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

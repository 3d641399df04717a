/** Results of simulations side by side. */

import type { Belief } from '../belief.ts'
import { type Comparison, compared, OUTCOMES, type Outcome } from './outcomes.ts'
import type { Figures, Tally } from './tally.ts'

export type Run = {
  /** `recorded`, or the configuration's file. */
  readonly name: string
  readonly figures: Figures
  /** Comparison of the same requests with the recorded run, and with the other configuration's run. */
  readonly versusRecorded: Comparison | undefined
  readonly versusOther: Comparison | undefined
  /** Numbers of calls answered from the record and by assumption; undefined without a record. */
  readonly calls: { readonly recorded: number; readonly assumed: number } | undefined
  /** Requests to upstreams that are not in the configuration. */
  readonly left: number
}

export type Report = {
  /** The log's or the scenario's file. */
  readonly source: string
  readonly seed: number
  /** How far the replay of a log can be believed; undefined without a log. */
  readonly belief: Belief | undefined
  readonly assumptions: readonly string[]
  /** Parts of the source that could not be used, as sentences. */
  readonly remarks: readonly string[]
  readonly runs: readonly Run[]
}

/** A finished run, and its role. */
export type Finished = Pick<Run, 'name' | 'calls' | 'left'> & {
  readonly role: 'recorded' | 'other' | 'asked'
  readonly tally: Tally
}

/** Each run compared with the recorded one, and the asked configuration's with the other's. */
export function sideBySide(runs: readonly Finished[]): Run[] {
  const [recorded, other] = (['recorded', 'other'] as const).map((role) => runs.find((run) => run.role === role))
  const versus = (before: Finished | undefined, now: Finished) =>
    before === undefined ? undefined : compared(before.tally.endings, now.tally.endings)
  return runs.map((run) => ({
    name: run.name,
    figures: run.tally.figures(),
    versusRecorded: run === recorded ? undefined : versus(recorded, run),
    versusOther: run.role === 'asked' ? versus(other, run) : undefined,
    calls: run.calls,
    left: run.left,
  }))
}

export const OUTCOME_TITLES: Readonly<Record<Outcome, string>> = {
  served: 'served',
  upstreamError: "upstream's own 5xx or 429",
  refused: 'refused by the sidecar',
  timedOut: 'timed out',
  broken: 'no response, or cut',
  left: 'client left',
}

type Row = readonly [title: string, ...cells: string[]]

/** Formats the report for a terminal. */
export function table(report: Report): string {
  const { source, seed, belief, assumptions, remarks, runs } = report
  const verdict = belief === undefined ? '' : `${notes(belief.says)}\n`
  return `${source}, seed ${seed}\n\n${verdict}${aligned(rowsOf(report))}\n${timelines(runs)}${notes([...assumptions, ...remarks])}`
}

/** One column per run, names in the first row. Indented titles belong to the one above. */
export function rowsOf({ runs }: Report): Row[] {
  const column = <V>(title: string, cell: (run: Run) => V | undefined, shown: (value: V) => string): Row => [
    title,
    ...runs.map((run) => {
      const value = cell(run)
      return value === undefined ? '-' : shown(value)
    }),
  ]
  const number = (title: string, cell: (run: Run) => number | undefined) => column(title, cell, whole)
  const time = (title: string, cell: (run: Run) => number | undefined) => column(title, cell, length)
  const upstreams = runs[0]?.figures.upstreams.map(({ name }) => name) ?? []
  const of = (run: Run, name: string) => run.figures.upstreams.find((upstream) => upstream.name === name)
  const rows: Row[] = [
    ['', ...runs.map(({ name }) => name)],
    number('requests', ({ figures }) => figures.requests),
    ...OUTCOMES.map((outcome) => number(`  ${OUTCOME_TITLES[outcome]}`, ({ figures }) => figures.outcomes[outcome])),
    ...commonEndings(runs).map((ending) => number(`    ${ending}`, ({ figures }) => figures.endings[ending] ?? 0)),
    column('as recorded', ({ versusRecorded }) => versusRecorded, sharedBy),
    column('  attempts as recorded', ({ versusRecorded }) => versusRecorded, attemptsShared),
    number('saved, against recorded', ({ versusRecorded }) => versusRecorded?.saved),
    number('lost, against recorded', ({ versusRecorded }) => versusRecorded?.lost),
    number('saved, against the other', ({ versusOther }) => versusOther?.saved),
    number('lost, against the other', ({ versusOther }) => versusOther?.lost),
    number('requests that were retried', ({ figures }) => figures.retried),
    number('attempts beyond the first', ({ figures }) => figures.retries),
    time('client time, p50', ({ figures }) => figures.clientMs.p50),
    time('client time, p90', ({ figures }) => figures.clientMs.p90),
    time('client time, p99', ({ figures }) => figures.clientMs.p99),
    ...upstreams.flatMap((name) => [
      number(`calls to ${name}`, (run) => of(run, name)?.calls),
      time('  client time, p50', (run) => of(run, name)?.clientMs.p50),
      time('  client time, p99', (run) => of(run, name)?.clientMs.p99),
      number('  times a breaker opened', (run) => of(run, name)?.opened),
      time('  time that it was open', (run) => of(run, name)?.openMs),
    ]),
    column('calls answered by assumption', ({ calls }) => calls, assumedShare),
  ]
  return rows.filter(([, ...cells]) => cells.some((cell) => cell !== '-'))
}

/** Statuses and reasons of requests that were not served, the most frequent first. */
function commonEndings(runs: readonly Run[]): string[] {
  const counts = new Map<string, number>()
  for (const { figures } of runs)
    for (const [ending, count] of Object.entries(figures.endings))
      if (!/^[1-4]\d\d$/.test(ending) || ending === '429') counts.set(ending, Math.max(count, counts.get(ending) ?? 0))
  return [...counts].sort(([, a], [, b]) => b - a).map(([ending]) => ending)
}

/** Largest number of breaker changes shown for each run. */
const SHOWN_MARKS = 12

function timelines(runs: readonly Run[]): string {
  return runs
    .filter(({ figures }) => figures.breakers.length > 0)
    .map(({ name, figures: { breakers } }) => {
      const lines = breakers.slice(0, SHOWN_MARKS).map(({ atMs, upstream, route, endpoint, to, cause }) => {
        const who = [upstream, route, endpoint].filter((name) => name !== undefined).join(' ')
        return `  ${length(atMs).padStart(10)}  ${who} ${to}${cause === undefined ? '' : ` (${cause})`}\n`
      })
      const more = breakers.length - lines.length
      return `breakers, ${name}\n${lines.join('')}${more > 0 ? `  and ${more} more changes: --json has them\n` : ''}\n`
    })
    .join('')
}

const notes = (sentences: readonly string[]) => sentences.map((sentence) => `- ${sentence}\n`).join('')

function aligned(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

const whole = (count: number) => count.toLocaleString('en-US')

const share = (part: number, of: number) => (of === 0 ? '-' : `${((100 * part) / of).toFixed(2)} %`)
const sharedBy = ({ same, requests }: Comparison) => share(same, requests)
const attemptsShared = ({ sameAttempts, requests }: Comparison) => share(sameAttempts, requests)
const assumedShare = ({ recorded, assumed }: { readonly recorded: number; readonly assumed: number }) =>
  share(assumed, recorded + assumed)

/** Formats ms for people. */
function length(ms: number): string {
  if (ms === 0) return '0 s'
  if (ms < 1) return `${ms.toFixed(2)} ms`
  if (ms < 1_000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`
}

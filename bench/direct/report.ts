import type { Fault } from './fault.ts'
import type { Score } from './play.ts'
import type { Verdict } from './verdict.ts'

export type Row = {
  readonly fault: Fault
  readonly direct: Score
  readonly sidecar: Score
  readonly verdict: Verdict
  /** Longest stall of the bench itself meanwhile, in seconds. */
  readonly lagS: number
}

const COLUMNS = ['finished', 'failed', 'last failure at (s)', 'calls', 'time (s)']

export function tableText(rows: readonly Row[]): string {
  const ofWay = (way: string) => COLUMNS.map((column, i) => (i === 0 ? `${way}: ${column}` : column))
  const headers = ['fault', 'client', ...ofWay('direct'), ...ofWay('sidecar'), 'verdict']
  const rules = headers.map((_, i) => (i < 2 || i === headers.length - 1 ? '---' : '---:'))
  return `${[headers, rules, ...rows.map(cells)].map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`
}

const cells = ({ fault, direct, sidecar, verdict }: Row) => [
  fault.name,
  fault.client,
  ...scoreCells(direct),
  ...scoreCells(sidecar),
  verdict.text,
]

const scoreCells = ({ finished, failed, lastFailureAt, calls, endedAt }: Score) => [
  finished,
  failed,
  lastFailureAt?.toFixed(1) ?? '',
  calls,
  endedAt.toFixed(1),
]

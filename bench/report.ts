import { spread } from './statistics.ts'

/** A target of the design, with the measured values. */
export type Verdict = {
  readonly target: string
  /** Largest median that meets the target. */
  readonly limit: number
  readonly unit: string
  /** One value for each round; empty when it could not be measured. */
  readonly values: readonly number[]
}

/** The result of a scenario: a table of the report, and its targets. */
export type Section = {
  readonly title: string
  readonly headers: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly verdicts: readonly Verdict[]
}

export function sectionText({ title, headers, rows }: Section): string {
  const rules = headers.map((_, i) => (i === 0 ? '---' : '---:'))
  return `\n## ${title}\n\n${[headers, rules, ...rows].map(rowText).join('\n')}\n`
}

const rowText = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

export function verdictText({ target, limit, unit, values }: Verdict): string {
  if (values.length === 0) return `- not measured: ${target}\n`
  const { median, min, max } = spread(values)
  const found = `${median.toFixed(2)}${unit} (${min.toFixed(2)} to ${max.toFixed(2)})`
  return `- ${median <= limit ? 'met' : 'NOT met'}: ${target}: ${found}\n`
}

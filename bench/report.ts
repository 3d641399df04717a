import { spread } from './statistics.ts'

/** A target of the design and how it went. */
export type Verdict = {
  readonly target: string
  /** The most that the median may be. */
  readonly limit: number
  readonly unit: string
  /** One a round; empty when it could not be measured. */
  readonly values: readonly number[]
}

/** What a scenario found. */
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
  const { median, least, most } = spread(values)
  const found = `${median.toFixed(2)}${unit} (${least.toFixed(2)} to ${most.toFixed(2)})`
  return `- ${median <= limit ? 'met' : 'NOT met'}: ${target}: ${found}\n`
}

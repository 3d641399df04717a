/** Pieces of text with a style, and lines of them for a terminal. */

export type Style = 'good' | 'warn' | 'bad' | 'faint' | 'strong' | 'chosen'
/** A piece of a line, and its style. */
export type Span = readonly [text: string, style?: Style]

/** Select Graphic Rendition (ECMA-48 section 8.3.117). */
const CODES: Readonly<Record<Style, number>> = { good: 32, warn: 33, bad: 31, faint: 2, strong: 1, chosen: 7 }

/** Styles of the looks and tones of the page. */
export const STYLES: Readonly<Record<string, Style>> = {
  well: 'good',
  warn: 'warn',
  bad: 'bad',
  calm: 'faint',
  unknown: 'warn',
}

/** One line, cut to the columns. Control characters of an upstream's or a client's text are replaced. */
export function drawn(spans: readonly Span[], columns: number, isColoured: boolean): string {
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

/** Lines for a command's output: as wide as they are. */
export const printed = (lines: readonly (readonly Span[])[], isColoured: boolean): string =>
  lines.map((spans) => `${drawn(spans, Infinity, isColoured)}\n`).join('')

/** Columns as wide as their widest cell; the last is not padded. */
export function tabular(rows: readonly (readonly Span[])[]): Span[][] {
  const widths: number[] = []
  for (const row of rows) for (const [i, [text]] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length)
  return rows.map((row) =>
    row.map(([text, style], i): Span => {
      const padded = i === row.length - 1 ? text : `${text.padEnd(widths[i] ?? 0)}  `
      return style === undefined ? [padded] : [padded, style]
    }),
  )
}

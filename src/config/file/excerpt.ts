/** A place in a configuration file as a person sees it: its line, with a caret under the column and no secret in it. */

import type { Path } from './source.ts'

export type Excerpt = {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** Keys from the top, joined by dots; '' for the file as a whole. */
  readonly path: string
  /** The line, or what of a long one is around the column; secrets are stars. '' for the file as a whole. */
  readonly excerpt: string
  /** Of the place within the excerpt, from 0. */
  readonly caret: number
}

type Written = {
  readonly line: number
  readonly column: number
  readonly path: Path
  /** The whole line of the file. */
  readonly source: string
}

/** No person wrote a longer line, and looking for secrets takes time. */
const MOST_CHARS = 4_000
/** A longer line is shown around the column, this many characters either way. */
const AROUND = 60

export function excerptAt(file: string, { line, column, path, source }: Written): Excerpt {
  const whole = source.length > MOST_CHARS ? '' : masked(source)
  const from = whole.length > 2 * AROUND ? Math.max(0, column - 1 - AROUND) : 0
  const excerpt = whole.length > 2 * AROUND ? whole.slice(from, column - 1 + AROUND) : whole
  return { file, line, column, path: path.map(String).join('.'), excerpt, caret: column - 1 - from }
}

/** Two lines, indented; '' where there is nothing to show. */
export const shown = ({ excerpt, caret }: Excerpt) => (excerpt === '' ? '' : `  ${excerpt}\n  ${' '.repeat(caret)}^\n`)

/**
 * Stars for what stands before the @ of a URL, for a token, and for headers with values, one a character: the caret below
 * stays where it is.
 */
const masked = (line: string) =>
  line
    .replaceAll(/(:)([^\s:@]+)(?=@)/g, (_, before, secret) => before + '*'.repeat(secret.length))
    .replace(
      /(\btoken["']?:\s*)("[^"]*"?|'[^']*'?|[^\s#,}]+\}?)/,
      (_, before, secret) => before + '*'.repeat(secret.length),
    )
    .replace(
      /(\bheaders["']?:\s*)("[^"]*"?|'[^']*'?|[^\s[{][^#}]*)/,
      (_, before, secret) => before + '*'.repeat(secret.length),
    )

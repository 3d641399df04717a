/** A place in a configuration file for people: the line, a caret under the column, secrets masked. */

import type { Path } from './source.ts'

export type Excerpt = {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** Keys from the top, joined by dots; '' for the file as a whole. */
  readonly path: string
  /** The line, or the part of a long line around the column, with secrets masked; '' for the whole file. */
  readonly excerpt: string
  /** Column of the place within the excerpt, from 0. */
  readonly caret: number
}

type Written = {
  readonly line: number
  readonly column: number
  readonly path: Path
  /** The whole line of the file. */
  readonly source: string
}

/** Longest line that is shown, in characters. Looking for secrets in a longer one takes time. */
const MAX_CHARS = 4_000
/** Characters that are shown on each side of the column of a long line. */
const AROUND = 60

export function excerptAt(file: string, { line, column, path, source }: Written): Excerpt {
  const isOfWebhook = path[0] === 'notify' || /\bnotify["']?:/.test(source)
  const whole = source.length > MAX_CHARS ? '' : masked(isOfWebhook ? withoutPaths(source) : source)
  const from = whole.length > 2 * AROUND ? Math.max(0, column - 1 - AROUND) : 0
  const excerpt = whole.length > 2 * AROUND ? whole.slice(from, column - 1 + AROUND) : whole
  return { file, line, column, path: path.map(String).join('.'), excerpt, caret: column - 1 - from }
}

/** Two indented lines; '' when there is nothing to show. */
export const shown = ({ excerpt, caret }: Excerpt) => (excerpt === '' ? '' : `  ${excerpt}\n  ${' '.repeat(caret)}^\n`)

/** Masks what stands in the maps that follow `set:` on one line: values of header fields. */
function withoutSetValues(line: string): string {
  const found = /\bset["']?:\s*\{/.exec(line)
  if (found === null) return line
  const from = found.index + found[0].length
  const end = endOfMap(line, from)
  return line.slice(0, from) + stars(line.slice(from, end)) + withoutSetValues(line.slice(end))
}

/** The index of the bracket that closes a flow map; the line's length when it is not closed there. */
function endOfMap(line: string, from: number): number {
  let depth = 1
  let quote = ''
  for (let at = from; at < line.length; at += 1) {
    const char = line.charAt(at)
    if (quote !== '') quote = char === quote ? '' : quote
    else if (char === '"' || char === "'") quote = char
    else if (char === '{') depth += 1
    else if (char === '}') depth -= 1
    if (depth === 0) return at
  }
  return line.length
}

const stars = (secret: string) => '*'.repeat(secret.length)

/** Masks the paths of URLs: that of a webhook is its secret. */
const withoutPaths = (line: string) =>
  line.replaceAll(/([\w.:-]\/)([^\s"',}/][^\s"',}]*)/g, (_, before, secret) => before + stars(secret))

/** A key whose value is a secret by its name, which may be misspelt, with that value. */
const SECRET_KEY =
  /(["']?[\w-]*(?:tok|secr|passw|pwd|auth|cred|api[-_]?key)[\w-]*["']?:\s*)("[^"]*"?|'[^']*'?|[^\s#,}]+\}?)/gi

/**
 * Masks what stands before the @ of a URL, tokens, and values of headers, character by character so that the caret stays in
 * place.
 */
const masked = (line: string) =>
  withoutSetValues(line)
    .replaceAll(/(:)([^\s:@]+)(?=@)/g, (_, before, secret) => before + stars(secret))
    .replaceAll(SECRET_KEY, (_, before, secret) => before + stars(secret))
    .replaceAll(/(\bheaders["']?:\s*)("[^"]*"?|'[^']*'?|[^\s[{][^#}]*)/g, (_, before, secret) => before + stars(secret))

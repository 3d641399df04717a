/** Replaces strings in JSON text. All other bytes stay, since parsing and printing anew would round large numbers. */

import { isUtf8 } from 'node:buffer'
import { keysOf } from '../../job/pointer.ts'

/** Where a value stands in a text, in characters. */
type Span = readonly [from: number, to: number]

/**
 * Replaces the strings at the pointers.
 * @param pointers JSON Pointers (RFC 6901), in which a `*` stands for each element of a list.
 * @returns undefined when nothing is replaced, and for bytes that are no JSON in UTF-8.
 */
export function withStrings(
  body: Buffer,
  pointers: readonly string[],
  replace: (text: string) => string,
): Buffer | undefined {
  if (!isUtf8(body)) return undefined
  const text = body.toString()
  if (!isJson(text)) return undefined
  const spans = pointers
    .flatMap((pointer) => spansAt(text, afterBlanks(text, 0), keysOf(pointer)))
    .filter(([from]) => text[from] === '"')
    .sort(([a], [b]) => a - b)
  let done = 0
  let result = ''
  for (const [from, to] of spans) {
    const before: string = JSON.parse(text.slice(from, to))
    const after = replace(before)
    if (from < done || after === before) continue
    result += text.slice(done, from) + JSON.stringify(after)
    done = to
  }
  return done === 0 ? undefined : Buffer.from(result + text.slice(done))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** The values at a pointer, from `at` on. Of members with the same name it takes the last one, as JSON.parse does. */
function spansAt(text: string, at: number, [token, ...rest]: readonly string[]): Span[] {
  if (token === undefined) return [[at, afterValue(text, at)]]
  const inner = text[at] === '{' ? [memberAt(text, at, token)] : text[at] === '[' ? elementsAt(text, at, token) : []
  return inner.flatMap((found) => (found === undefined ? [] : spansAt(text, found, rest)))
}

function memberAt(text: string, from: number, name: string): number | undefined {
  let found: number | undefined
  let at = afterBlanks(text, from + 1)
  while (text[at] === '"') {
    const end = afterString(text, at)
    const value = afterBlanks(text, afterBlanks(text, end) + 1)
    if (JSON.parse(text.slice(at, end)) === name) found = value
    at = afterBlanks(text, afterValue(text, value))
    if (text[at] === ',') at = afterBlanks(text, at + 1)
  }
  return found
}

/** @param index of an element, or `*` for all of them. */
function elementsAt(text: string, from: number, index: string): number[] {
  if (!/^(?:\*|0|[1-9]\d*)$/.test(index)) return []
  const found: number[] = []
  let at = afterBlanks(text, from + 1)
  for (let i = 0; text[at] !== ']'; i += 1) {
    if (index === '*' || i === Number(index)) found.push(at)
    if (found.length > 0 && index !== '*') break
    at = afterBlanks(text, afterValue(text, at))
    if (text[at] === ',') at = afterBlanks(text, at + 1)
  }
  return found
}

function afterBlanks(text: string, from: number): number {
  let at = from
  while (' \t\n\r'.includes(text[at] ?? '.')) at += 1
  return at
}

function afterString(text: string, from: number): number {
  let at = from + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** The end of any value. The text is known to be sound. */
function afterValue(text: string, from: number): number {
  let depth = 0
  let at = from
  do {
    const char = text[at]
    if (char === '"') {
      at = afterString(text, at)
      continue
    }
    if (char === '{' || char === '[') depth += 1
    else if (char === '}' || char === ']') depth -= 1
    else if (depth === 0) return afterWord(text, at)
    at += 1
  } while (depth > 0)
  return at
}

/** The end of a number, `true`, `false` or `null`. */
function afterWord(text: string, from: number): number {
  let at = from
  while (/[\w+.-]/.test(text[at] ?? ' ')) at += 1
  return at
}

/** `${NAME}` and `${NAME:-fallback}` in the values of a configuration file; `$${` stands for a plain `${`. */

import { type Document, parse, Scalar, visit } from 'yaml'

/** A reference with its text up to the closing bracket, or to the end of the text. */
const REFERENCE = /\$\$\{|\$\{[^}]*\}?/g
const PARTS = /^\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}$/
const WHOLE = /^\$\{[^}]*\}$/

export type Env = Readonly<Record<string, string | undefined>>

/** A reference that cannot be replaced. Values of the environment are never printed. */
export type Unset = { readonly node: Scalar; readonly message: string }

/**
 * Replaces references in place. An unquoted value that is only a reference is parsed as YAML again, so that a number stays a
 * number; quoted values stay strings. As in a shell, `:-` also replaces an empty variable.
 */
export function interpolate(document: Document, env: Env): Unset[] {
  const unset: Unset[] = []
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return
      const isPlain = node.type === Scalar.PLAIN && WHOLE.test(node.value)
      const value = replaced(node.value, env, (message) => unset.push({ node, message }))
      node.value = isPlain ? reread(value) : value
    },
  })
  return unset
}

/** Names of the variables that a text refers to. */
export const variablesIn = (text: string): string[] =>
  (text.match(REFERENCE) ?? []).flatMap((reference) => PARTS.exec(reference)?.[1] ?? [])

function replaced(text: string, env: Env, complain: (message: string) => void): string {
  return text.replaceAll(REFERENCE, (reference) => {
    if (reference === '$${') return '${'
    const [, name, fallback] = PARTS.exec(reference) ?? []
    if (name === undefined) {
      complain('expected ${NAME} or ${NAME:-fallback}; write $${ for a plain ${')
      return ''
    }
    const value = env[name]
    if (value !== undefined && (value !== '' || fallback === undefined)) return value
    if (fallback === undefined) complain(`the environment variable ${name} is not set, and there is no fallback`)
    return fallback ?? ''
  })
}

/** Numbers and booleans are converted; other values stay text. */
function reread(text: string): unknown {
  if (!/^(?:true|false|-?\d[\d.e+-]*)$/.test(text)) return text
  const value: unknown = parse(text)
  return typeof value === 'number' || typeof value === 'boolean' ? value : text
}

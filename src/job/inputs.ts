/** A job's inputs, from where a request tells them. */

import { pointed } from './pointer.ts'
import type { Inputs } from './timeouts.ts'

export type InputRule = {
  readonly name: string
  /** Lower case; undefined when it is not looked for there. */
  readonly header: string | undefined
  readonly query: string | undefined
  /** JSON Pointer (RFC 6901) into the request's body. */
  readonly json: string | undefined
  /** Its type is the input's type. */
  readonly byDefault: number | string
  readonly min: number
  readonly max: number
}

/** What a request offers; each is asked only when an input is looked for there. */
export type Offer = {
  readonly header: (name: string) => string | undefined
  readonly query: (name: string) => string | undefined
  /** The body as JSON; undefined when it is none, too large or not peeked into. */
  readonly json: unknown
}

export type Read = {
  readonly inputs: Inputs
  /** Names of inputs whose value was not acceptable, so that the next source or the default stands in. */
  readonly refused: readonly string[]
}

/** The first source that yields an acceptable value wins, then the job's record, then the default. */
export function readInputs(rules: readonly InputRule[], offer: Offer, record: Inputs | undefined): Read {
  const refused: string[] = []
  const inputs: Record<string, number | string> = {}
  for (const rule of rules) {
    const offered = [
      rule.header === undefined ? undefined : offer.header(rule.header),
      rule.query === undefined ? undefined : offer.query(rule.query),
      rule.json === undefined ? undefined : pointed(offer.json, rule.json),
    ].filter((value) => value !== undefined)
    const accepted = offered.map((value) => accept(rule, value)).find((value) => value !== undefined)
    if (offered.length > 0 && accepted === undefined) refused.push(rule.name)
    inputs[rule.name] = accepted ?? record?.[rule.name] ?? rule.byDefault
  }
  return { inputs, refused }
}

/** A value as the input's type, within its bounds; undefined when it is not acceptable. */
export function accept(rule: InputRule, value: unknown): number | string | undefined {
  if (typeof rule.byDefault === 'string') return typeof value === 'string' && value.length <= 100 ? value : undefined
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined
  return number >= rule.min && number <= rule.max ? number : undefined
}

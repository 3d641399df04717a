/** Reads a job's inputs from a request. */

import { pointed } from './pointer.ts'
import type { Inputs } from './timeouts.ts'

export type InputRule = {
  readonly name: string
  /** Lower case; undefined when no header is read. */
  readonly header: string | undefined
  readonly query: string | undefined
  /** JSON Pointer (RFC 6901) into the request's body. */
  readonly json: string | undefined
  /** Its type is the input's type. */
  readonly byDefault: number | string
  readonly min: number
  readonly max: number
}

/** Sources of a request. Each is read only when an input names it. */
export type Offer = {
  readonly header: (name: string) => string | undefined
  readonly query: (name: string) => string | undefined
  /** The body as JSON; undefined when it is not JSON, too large, or not read. */
  readonly json: unknown
}

export type Read = {
  readonly inputs: Inputs
  /** Names of inputs with a value that was not accepted, so that the next source or the default applies. */
  readonly refused: readonly string[]
}

/** Takes the first acceptable value of the sources, then of the job's record, then the default. */
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

/** A value in the input's type and bounds; undefined when it is not acceptable. */
export function accept(rule: InputRule, value: unknown): number | string | undefined {
  if (typeof rule.byDefault === 'string') return typeof value === 'string' && value.length <= 100 ? value : undefined
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined
  return number >= rule.min && number <= rule.max ? number : undefined
}

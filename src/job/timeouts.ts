/** Computes timeouts from a job's inputs, with their terms. */

/** Inputs of a job by name: numbers, or words such as an aspect ratio. */
export type Inputs = Readonly<Record<string, number | string>>

export type TimeoutRule = {
  readonly baseMs: number
  /** ms per unit of a numeric input. */
  readonly per: Readonly<Record<string, number>>
  /** Factors by an input's value; 1 for values that are not listed. */
  readonly times: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Names of other timeouts whose unclamped values are added. */
  readonly sum: readonly string[]
  readonly minMs: number
  readonly maxMs: number
}

export type TimeoutRules = Readonly<Record<string, TimeoutRule>>

export type Computed = {
  /** Clamped, then truncated to whole seconds. */
  readonly seconds: number
  /** Before clamping, in seconds. */
  readonly unclampedSeconds: number
  /** One line per term, for people: `base 60 s`, `shorts_count 10 · 4 s = 40 s`, `× 1.5 (aspect_ratio 9:16)`. */
  readonly terms: readonly string[]
}

/**
 * `clamp((base + Σ per[i]·input[i]) · Π times[i][input[i]] + Σ unclamped of sum, min, max)`, truncated to whole seconds.
 * A missing or non-numeric input counts as 0 in `per`.
 */
export function computeTimeout(name: string, rules: TimeoutRules, inputs: Inputs): Computed {
  const rule = rules[name]
  if (rule === undefined) throw new Error(`no timeout named ${name}`)
  const unclampedMs = unclamped(rule, rules, inputs)
  const clampedMs = Math.min(Math.max(unclampedMs, rule.minMs), rule.maxMs)
  const clamp = clampedMs > unclampedMs ? `at least ${seconds(rule.minMs)}` : `at most ${seconds(rule.maxMs)}`
  const terms = [...termsOf(rule, rules, inputs), ...(clampedMs === unclampedMs ? [] : [clamp])]
  return { seconds: Math.trunc(clampedMs / 1000), unclampedSeconds: unclampedMs / 1000, terms }
}

function unclamped(rule: TimeoutRule, rules: TimeoutRules, inputs: Inputs): number {
  const linear = Object.entries(rule.per).reduce((sum, [input, ms]) => sum + ms * amount(inputs[input]), rule.baseMs)
  const factor = Object.entries(rule.times).reduce((all, [input, by]) => all * (factorOf(inputs[input], by) ?? 1), 1)
  const others = rule.sum.reduce((sum, other) => sum + unclampedOf(other, rules, inputs), 0)
  return linear * factor + others
}

function unclampedOf(name: string, rules: TimeoutRules, inputs: Inputs): number {
  const rule = rules[name]
  return rule === undefined ? 0 : unclamped(rule, rules, inputs)
}

function termsOf(rule: TimeoutRule, rules: TimeoutRules, inputs: Inputs): string[] {
  const per = Object.entries(rule.per).map(([input, ms]) => {
    const value = amount(inputs[input])
    return `${input} ${value} · ${seconds(ms)} = ${seconds(ms * value)}`
  })
  const times = Object.entries(rule.times).flatMap(([input, by]) => {
    const factor = factorOf(inputs[input], by)
    return factor === undefined ? [] : [`× ${factor} (${input} ${inputs[input]})`]
  })
  const sum = rule.sum.map((other) => `${other} ${seconds(unclampedOf(other, rules, inputs))}`)
  return [...(rule.baseMs === 0 ? [] : [`base ${seconds(rule.baseMs)}`]), ...per, ...times, ...sum]
}

/** Looks up own properties only: values are the client's words, and `constructor` exists on every object. */
const factorOf = (value: number | string | undefined, by: Readonly<Record<string, number>>) =>
  Object.hasOwn(by, String(value)) ? by[String(value)] : undefined

const amount = (value: number | string | undefined) => (typeof value === 'number' ? value : 0)

const seconds = (ms: number) => `${Number((ms / 1000).toFixed(3))} s`

/** The timeout in ms of a route's `{ computed, divideBy }`. A divisor of 0 or less is ignored. */
export function computedMs(name: string, divideBy: string | undefined, rules: TimeoutRules, inputs: Inputs): number {
  const whole = computeTimeout(name, rules, inputs).seconds * 1000
  const divisor = divideBy === undefined ? 1 : amount(inputs[divideBy])
  return divisor > 0 ? whole / divisor : whole
}

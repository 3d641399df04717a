/** Types of settings. The message of each says what is expected. */

import { z } from 'zod'
import { address, durationMs, sizeBytes } from './units.ts'

/** Pattern for editors: a value, or text with a reference to the environment. */
const orReference = (pattern: string) => `^(${pattern}|.*\\$\\{.*\\}.*)$`

/** A string that `read` converts. */
export const written = <V>(read: (text: string) => V | undefined, expected: string) =>
  z.unknown().transform((value, context): V => {
    const known = typeof value === 'string' ? read(value) : undefined
    if (known !== undefined) return known
    context.addIssue({ code: 'custom', message: `expected ${expected}` })
    return z.NEVER
  })

const within = <V extends number>(
  type: z.ZodType<V>,
  min: string,
  max: string,
  read: (text: string) => number | undefined,
) =>
  type.refine((value) => value >= (read(min) ?? 0) && value <= (read(max) ?? 0), {
    error: `must be from ${min} to ${max}`,
  })

/** In ms. */
export const duration = (min: string, max: string) =>
  within(written(durationMs, 'a duration with its unit, such as 250ms, 30s, 5m or 1h'), min, max, durationMs).meta({
    type: 'string',
    pattern: orReference('(\\d+(\\.\\d+)?(ms|s|m|h|d))+'),
    title: `a duration from ${min} to ${max}`,
  })

/** In bytes. */
export const size = (min: string, max: string) =>
  within(written(sizeBytes, 'a size with its unit, such as 64KiB, 1MiB or 5GB'), min, max, sizeBytes).meta({
    type: 'string',
    pattern: orReference('\\d+(\\.\\d+)?(B|[KMG]i?B)'),
    title: `a size from ${min} to ${max}`,
  })

export const listenAddress = written(address, 'an address such as 127.0.0.1:8080 or [::1]:8080').meta({
  type: 'string',
  pattern: orReference('(\\[[\\da-fA-F:.]+\\]|[\\w.-]+):\\d{1,5}'),
  title: 'an address such as 127.0.0.1:8080',
})

export const integer = (min: number, max: number) =>
  z
    .int({ error: 'expected a whole number' })
    .min(min, { error: between(min, max) })
    .max(max, { error: between(min, max) })

/** Numbers from `min` to `max`, both included. */
export const number = (min: number, max: number) =>
  z
    .number({ error: 'expected a number' })
    .min(min, { error: between(min, max) })
    .max(max, { error: between(min, max) })

const between = (min: number, max: number) => `must be from ${min} to ${max}`

/** Strictly between 0 and 1. */
export const share = z
  .number({ error: 'expected a number' })
  .gt(0, { error: 'must be more than 0 and less than 1' })
  .lt(1, { error: 'must be more than 0 and less than 1' })

export const flag = z.boolean({ error: 'expected true or false' })

export const text = z.string({ error: 'expected a string' })

/** RFC 9110 section 5.6.2. */
export const token = text.regex(/^[!#$%&'*+.^_`|~\w-]+$/, { error: 'expected a header name' })

export const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `expected one of ${names.join(', ')}` })

const isStatus = (value: unknown) =>
  (Number.isInteger(value) && Number(value) >= 400 && Number(value) <= 599) || value === '4xx' || value === '5xx'

const STATUS = { type: 'integer', minimum: 400, maximum: 599 }

/** A status such as 503, or a class such as 5xx. */
export const status = z
  .custom<number | string>(isStatus, { error: 'expected a status from 400 to 599, or 4xx or 5xx' })
  .meta({ anyOf: [STATUS, { enum: ['4xx', '5xx'] }], title: 'a status from 400 to 599, 4xx or 5xx' })

const CONDITIONS = ['connect-failure', 'reset', 'timeout']

/** An outcome that may be retried. */
export const retryCondition = z
  .custom<number | string>((value) => CONDITIONS.includes(String(value)) || isStatus(value), {
    error: `expected ${CONDITIONS.join(', ')}, a status from 400 to 599, or 4xx or 5xx`,
  })
  .meta({
    anyOf: [STATUS, { enum: [...CONDITIONS, '4xx', '5xx'] }],
    title: `${CONDITIONS.join(', ')}, a status from 400 to 599, 4xx or 5xx`,
  })

export const method = z.string().regex(/^[A-Z]+$/, { error: 'expected a method in capitals, such as GET' })

/** Largest number of entries of a list. Every route inherits lists whole: long ones would be multiplied. */
export const MAX_ENTRIES = 100

/** A list; a value alone is a list of one. */
export const listOf = <V>(type: z.ZodType<V>, min = 0): z.ZodType<V[]> =>
  z.union([bounded(type, min), type.transform((value) => [value])])

function bounded<V>(type: z.ZodType<V>, min: number): z.ZodArray<z.ZodType<V>> {
  const list = z.array(type).max(MAX_ENTRIES, { error: `has more than ${MAX_ENTRIES} entries` })
  return min === 0 ? list : list.min(min, { error: 'has no entry' })
}

/** `false`, or the settings of a feature. */
export const offOr = <V>(on: z.ZodType<V>) => z.union([z.literal(false, { error: 'expected false' }), on])

/** A setting is one key of the configuration: type, unit, default and help. Blocks hold settings. */

import { z } from 'zod'

// A configuration is read once: compiling functions for it takes longer than reading it without.
z.config({ jitless: true })

/** Unit of a setting's value, appended to its name in Config (`queueTimeout: 5s` becomes `queueTimeoutMs: 5000`). */
type Unit = '' | 'Ms' | 'Bytes'

/** @template V type of the value in Config. @template U unit of the value. */
export type Setting<V, U extends Unit = ''> = {
  readonly type: z.ZodType<V>
  readonly unit: U
  /** Default as written in the file. */
  readonly byDefault: unknown
  readonly help: string
}

/** A block that `false` turns off. When it is on, missing keys have their defaults. */
export type Switch<B extends Block> = { readonly on: B; readonly byDefault: boolean; readonly help: string }

/** A block for which `false` is short for some of its values. */
export type Shortened<B extends Block> = {
  readonly keys: B
  readonly whenFalse: Partial<Record<keyof B, unknown>>
  readonly help: string
}

type Node = Setting<unknown, Unit> | Switch<Block> | Shortened<Block> | Block
export type Block = { readonly [key: string]: Node }

/** Type of a block's values in Config, with units at the ends of their names. */
export type Values<N> =
  N extends Setting<infer V, Unit>
    ? V
    : N extends Switch<infer B>
      ? false | Values<B>
      : N extends Shortened<infer B>
        ? Values<B>
        : { readonly [K in keyof N as Named<K, N[K]>]: Values<N[K]> }

type Named<K, N> = N extends Setting<unknown, infer U> ? `${K & string}${U}` : K

export const setting = <V>(type: z.ZodType<V>, byDefault: unknown, help: string): Setting<V> => ({
  type,
  unit: '',
  byDefault,
  help,
})

/** A setting with a length of time. Types that accept more than a duration keep the unit of their numbers. */
export const lengthSetting = <V>(type: z.ZodType<V>, byDefault: unknown, help: string): Setting<V, 'Ms'> => ({
  type,
  unit: 'Ms',
  byDefault,
  help,
})

export const sizeSetting = (type: z.ZodType<number>, byDefault: string, help: string): Setting<number, 'Bytes'> => ({
  type,
  unit: 'Bytes',
  byDefault,
  help,
})

export const switchable = <B extends Block>(on: B, byDefault: boolean, help: string): Switch<B> => ({
  on,
  byDefault,
  help,
})

export const shortened = <B extends Block>(
  keys: B,
  whenFalse: Partial<Record<keyof B, unknown>>,
  help: string,
): Shortened<B> => ({ keys, whenFalse, help })

const isSetting = (node: Node): node is Setting<unknown, Unit> => 'type' in node && node.type instanceof z.ZodType
const isSwitch = (node: Node): node is Switch<Block> => 'on' in node && 'byDefault' in node
const isShortened = (node: Node): node is Shortened<Block> => 'keys' in node && 'whenFalse' in node
const isBlock = (node: Node): node is Block => !isSetting(node) && !isSwitch(node) && !isShortened(node)

/** Schema of merged values, in which every setting is present. Renames values to their names in Config. */
export function whole(block: Block): z.ZodType<Record<string, unknown>> {
  const names = Object.entries(block).map(([key, node]) => [key, isSetting(node) ? `${key}${node.unit}` : key] as const)
  return z
    .strictObject(
      mapped(block, (node): z.ZodType => {
        if (isSetting(node)) return node.type
        if (isShortened(node)) return whole(node.keys)
        if (!isSwitch(node)) return whole(node)
        const withDefaults = (value: unknown) => (isMap(value) ? inherit(node.on, defaultsOf(node.on), value) : value)
        return z.preprocess(withDefaults, z.union([z.literal(false), whole(node.on)]))
      }),
    )
    .transform((values) => Object.fromEntries(names.map(([key, name]) => [name, values[key]])))
}

/** Joins blocks into one. Blocks under the same key are joined, too. */
export function joined(blocks: readonly Block[]): Block {
  const all: Record<string, Node> = {}
  for (const block of blocks)
    for (const [key, node] of Object.entries(block)) {
      const known = all[key]
      if (known === undefined) all[key] = node
      else if (isBlock(known) && isBlock(node)) all[key] = joined([known, node])
      else throw new Error(`${key} is a setting of two policies`)
    }
  return all
}

/** Schema of one level of the file, in which any setting may be absent. */
export function partial(block: Block): z.ZodObject {
  return z.strictObject(
    mapped(block, (node): z.ZodType => {
      if (isSetting(node)) return node.type.meta({ description: node.help, byDefault: node.byDefault }).optional()
      if (isShortened(node))
        return z
          .union([z.literal(false), partial(node.keys)])
          .meta({ description: node.help })
          .optional()
      if (!isSwitch(node)) return partial(node).optional()
      return z
        .union([z.literal(false), partial(node.on)])
        .meta({ description: node.help, byDefault: node.byDefault && defaultsOf(node.on) })
        .optional()
    }),
  )
}

/** Defaults of a block as written in the file. */
export function defaultsOf(block: Block): Record<string, unknown> {
  return mapped(block, (node) => {
    if (isSetting(node)) return node.byDefault
    if (isShortened(node)) return defaultsOf(node.keys)
    if (!isSwitch(node)) return defaultsOf(node)
    return node.byDefault ? defaultsOf(node.on) : false
  })
}

function mapped<R>(block: Block, turn: (node: Node) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(block).map(([key, node]) => [key, turn(node)]))
}

/** Merges two levels key by key; the inner value applies. A setting is replaced whole, even one with keys of its own. */
export function inherit(node: Node | undefined, outer: unknown, inner: unknown): unknown {
  if (inner === undefined) return outer
  if (node !== undefined && isShortened(node))
    return inherit(node.keys, outer, inner === false ? node.whenFalse : inner)
  if (node === undefined || isSetting(node) || !isMap(outer) || !isMap(inner)) return inner
  const block = isSwitch(node) ? node.on : node
  const keys = new Set([...Object.keys(outer), ...Object.keys(inner)])
  return Object.fromEntries([...keys].map((key) => [key, inherit(block[key], outer[key], inner[key])]))
}

export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

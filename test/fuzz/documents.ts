/** Bodies of control calls: valid ones, and ones that a careless JSON parser mishandles. */

import type { Chance } from './chance.ts'

export type Document = {
  readonly bytes: Buffer
  /** Whether the bytes are JSON in UTF-8, valid for the operation or not. */
  readonly isJson: boolean
}

const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`

/** Each is JSON text. */
const VALUES = [
  '0',
  '-1',
  '1e400',
  '-0',
  '9007199254740993',
  '1.5',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '"\\ud800"',
  '"\\udc00x"',
  '"\\u0000"',
  '"__proto__"',
  '{"__proto__":{"a":1},"constructor":2}',
  '"é😀"',
  '"[]{}\\"\\\\"',
]

/** @param path of the operation, as in the OpenAPI document. */
export function documentOf(chance: Chance, path: string): Document {
  const text = sound(chance, path)
  switch (
    chance.oneOf(['sound', 'sound', 'value', 'deep', 'twice', 'cut', 'flip', 'latin1', 'noise', 'long', 'bom'] as const)
  ) {
    case 'sound':
      return json(text)
    case 'value':
      return json(withValue(text, chance.oneOf(VALUES), chance))
    case 'deep': {
      const depth = chance.oneOf([10, 100, 1_000, 3_000, 6_000, 40_000])
      const deep = chance.often(0.5) ? nested(depth, '[', ']') : nested(depth, '{"a":', '}')
      return json(
        chance.often(0.7) ? text.replace('"metadata":{', `"metadata":{"deep":${deep},`) : withValue(text, deep, chance),
      )
    }
    case 'twice':
      return json(text.replace('{', `{"stage":"other","item_ids":["dropped"],`))
    case 'cut':
      return { bytes: Buffer.from(text.slice(0, chance.between(0, text.length - 1))), isJson: false }
    case 'flip': {
      const bytes = Buffer.from(text)
      bytes[chance.between(0, bytes.length - 1)] = chance.between(0, 255)
      return judged(bytes)
    }
    case 'latin1':
      return { bytes: Buffer.from(text.replace('"item-', '"caf\xe9-'), 'latin1'), isJson: !text.includes('"item-') }
    case 'noise':
      return judged(Buffer.from(Array.from({ length: chance.between(0, 200) }, () => chance.between(0, 255))))
    case 'long':
      return json(text.replace('"item-', `"${'x'.repeat(chance.oneOf([512, 513, 100_000, 1_200_000]))}-`))
    case 'bom':
      // A parser may ignore a byte order mark or reject it (RFC 8259 section 8.1).
      return json(`\uFEFF${text}`)
  }
}

const json = (text: string): Document => ({ bytes: Buffer.from(text), isJson: true })

function judged(bytes: Buffer): Document {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return { bytes, isJson: true }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return { bytes, isJson: false }
    throw error
  }
}

/** A valid body of the operation, or sometimes of another operation. */
function sound(chance: Chance, path: string): string {
  const itemIds = Array.from({ length: chance.between(1, 4) }, () => `item-${chance.between(0, 30)}`)
  const stage = chance.oneOf(['search', 'download', 'render_2'])
  const attempt = chance.often(0.1) ? { attempt: chance.between(0, 3) } : {}
  const metadata = { note: 'x' }
  const all: Readonly<Record<string, object>> = {
    '/v1/checkpoints/{job}/items': { stage, item_ids: itemIds, total_items: 10, metadata, ...attempt },
    '/v1/checkpoints/{job}': { stage, item_ids: itemIds, completed_items: 3, total_items: 10, metadata, ...attempt },
    '/v1/checkpoints/{job}/remaining': { items: [...itemIds, { id: 'item-1', metadata }], id_key: 'id' },
    '/v1/jobs/{id}': { minutes: chance.between(1, 90), kind: 'short' },
    '/v1/upstreams/{name}/breaker': { mode: chance.oneOf(['auto', 'observe']) },
  }
  const fitting = chance.often(0.9) ? all[path] : undefined
  return JSON.stringify(fitting ?? chance.oneOf(Object.values(all)))
}

/** Replaces one of the values in `text` by `value`. */
function withValue(text: string, value: string, chance: Chance): string {
  const places = [...text.matchAll(/:("[^"]*"|\d+|\[[^\]]*\])/g)]
  const place = chance.oneOf(places)
  return `${text.slice(0, place.index + 1)}${value}${text.slice(place.index + place[0].length)}`
}

/** Finds the routes of an API in the paths that were seen. */

import type { Exchange } from './exchange.ts'

/** Paths that differ in their ids alone. */
export type Template = {
  readonly upstream: string
  readonly method: string
  /** As in `match`: `/jobs/{id}/result`. */
  readonly path: string
  /** Its exchanges with the ids in their paths, in the order of the names in `path`. */
  readonly exchanges: readonly { readonly exchange: Exchange; readonly ids: readonly string[] }[]
}

/** Values of one segment above which it is a name, however they look. */
const MANY = 8

/** Parts of a segment: what stands before the id, the id, and what follows it (`.mp4`, `:cancel`). */
const PARTS = /^(?<before>(?:[a-z]+[-_])??)(?<id>[\w-]+?)(?<after>(?:\.[a-z][a-z0-9]{1,4}|:[a-zA-Z]+)?)$/

/** Text that people do not choose: a number, a UUID, hexadecimal, or letters and digits mixed at length. */
const looksGenerated = (text: string) =>
  /^\d+$/.test(text) ||
  /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i.test(text) ||
  (/^[\da-f]{8,}$/i.test(text) && /\d/.test(text)) ||
  (text.length >= 10 && /\d/.test(text) && /[a-z]/i.test(text)) ||
  (text.length >= 20 && /[a-z]/.test(text) && /[A-Z]/.test(text))

type Segment = { readonly literal: string } | { readonly id: string; readonly after: string }

export function templatesIn(exchanges: readonly Exchange[]): Template[] {
  const varied = variedPlaces(exchanges)
  const groups = new Map<
    string,
    { template: Omit<Template, 'exchanges'>; exchanges: Template['exchanges'][number][] }
  >()
  for (const exchange of exchanges) {
    const { upstream, method } = exchange
    const segments = segmentsOf(exchange, varied)
    const path = written(segments)
    const key = `${upstream} ${method} ${path}`
    const group = groups.get(key) ?? { template: { upstream, method, path }, exchanges: [] }
    groups.set(key, group)
    const ids = segments.flatMap((segment) => ('id' in segment ? [segment.id] : []))
    group.exchanges.push({ exchange, ids })
  }
  return [...groups.values()].map(({ template, exchanges: all }) => ({ ...template, exchanges: all }))
}

/** Prefixes below which there are so many values that they are names. */
function variedPlaces(exchanges: readonly Exchange[]): ReadonlySet<string> {
  const values = new Map<string, Set<string>>()
  for (const { upstream, path } of exchanges) {
    const segments = path.split('/').slice(1)
    for (const [i, segment] of segments.entries()) {
      const prefix = `${upstream}/${segments.slice(0, i).map(plainOrId).join('/')}`
      values.set(prefix, (values.get(prefix) ?? new Set()).add(segment))
    }
  }
  return new Set([...values].filter(([, seen]) => seen.size >= MANY).map(([prefix]) => prefix))
}

const plainOrId = (segment: string) => (idIn(segment) === undefined ? segment : '{}')

function idIn(segment: string): { readonly id: string; readonly after: string } | undefined {
  const { id = '', before = '', after = '' } = PARTS.exec(segment)?.groups ?? {}
  return looksGenerated(id) ? { id: before + id, after } : undefined
}

function segmentsOf({ upstream, path }: Exchange, varied: ReadonlySet<string>): Segment[] {
  const plain: string[] = []
  return path
    .split('/')
    .slice(1)
    .map((segment) => {
      const isVaried = varied.has(`${upstream}/${plain.join('/')}`)
      const found = idIn(segment) ?? (isVaried && segment !== '' ? { id: segment, after: '' } : undefined)
      plain.push(plainOrId(segment))
      return found ?? { literal: segment }
    })
}

/** One name is `{id}`; several are named after the segments before them. */
function written(segments: readonly Segment[]): string {
  const many = segments.filter((segment) => 'id' in segment).length > 1
  const taken = new Set<string>()
  const parts = segments.map((segment, i) => {
    if ('literal' in segment) return segment.literal.replaceAll(/[{}*\s]/g, '')
    const before = segments[i - 1]
    const kind = before !== undefined && 'literal' in before ? singular(before.literal) : 'part'
    const base = many && /^[a-z]\w*$/i.test(kind) ? `${kind}_id` : many ? 'part_id' : 'id'
    let name = base
    for (let n = 2; taken.has(name); n += 1) name = `${base}${n}`
    taken.add(name)
    return `{${name}}${segment.after}`
  })
  return `/${parts.join('/')}`
}

const singular = (word: string) => word.replace(/ies$/, 'y').replace(/([^s])s$/, '$1')

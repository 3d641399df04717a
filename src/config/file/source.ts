/** The text of a configuration file, with the place of each path of keys. */

import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'

export type Path = readonly PropertyKey[]

/** Range in the text, in characters from its start. */
type Range = readonly [from: number, to: number]

export type Place = {
  /** From 1. */
  readonly line: number
  readonly column: number
  /** The file's own text there, on one line and shortened; nothing from the environment; '' where it is hidden. */
  readonly text: string
}

export type TextFault = { readonly place: Place; readonly message: string }

const SHOWN_CHARS = 60
/** Largest depth. A configuration needs a quarter of it; a pair in a map is a level, too. */
const MAX_DEPTH = 64
const MAX_ALIASES = 1_000
const TOO_DEEP = 'this is nested too deeply'

/** What the parser's own messages do not say to people. */
const IN_WORDS: Readonly<Record<string, string>> = {
  // Not the tag itself: a secret that begins with ! is one. The excerpt shows it where it may.
  TAG_RESOLVE_FAILED: 'unknown tag',
  TAB_AS_INDENT: 'a tab indents this line: use spaces',
  BAD_INDENT: 'this begins in a column of its own: keys of one block begin in the same column',
  BLOCK_AS_IMPLICIT_KEY:
    'a value and keys below it, or a second ": " on one line: indent the next line as this one, or quote the value',
}

/** Longest message in characters: the parser quotes unknown text at any length. */
const MESSAGE_CHARS = 200

export class Source {
  readonly document: Document
  readonly #text: string
  readonly #lines = new LineCounter()
  readonly #written: readonly string[]
  #targets: ReadonlyMap<Alias, Node> | undefined
  /** Values that are never shown. */
  readonly #hidden: Range[] = []
  #writtenAt = (path: Path): Path => path

  constructor(text: string) {
    this.#text = text
    this.#written = text.split('\n')
    // Repeated keys are checked below: the library's own check takes quadratic time.
    this.document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      // YAML 1.1's `<<: *block`, for blocks that several upstreams share.
      merge: true,
      logLevel: 'error',
    })
  }

  /** Faults of the text with their places: syntax, unknown tags, several documents. */
  faults(): TextFault[] {
    const { errors, warnings } = this.document
    // Faults after the first syntax error only follow from it.
    return [...errors.slice(0, 1), ...warnings].map(({ pos, message, code }) => {
      const place = this.#place(pos)
      const isBareReference = (this.#written[place.line - 1] ?? '').slice(0, place.column).endsWith('${')
      if (code === 'MULTIPLE_DOCS')
        return { place, message: 'a second document begins here: the sidecar reads one, so put all upstreams into it' }
      if (isBareReference) return { place, message: 'inside { } a value with ${…} has to be quoted' }
      if (code === 'RESOURCE_EXHAUSTION') return { place, message: TOO_DEEP }
      return { place, message: IN_WORDS[code] ?? message.slice(0, MESSAGE_CHARS) }
    })
  }

  /** A document that is too deep, or whose aliases are too many or stand for nothing, found before anything walks it by recursion. */
  excess(): TextFault | undefined {
    const left: { readonly node: unknown; readonly depth: number }[] = [{ node: this.document.contents, depth: 0 }]
    let aliases = 0
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      const { node, depth } = one
      const fault = (message: string) => ({ place: this.#place(rangeOf(node) ?? [0, 0]), message })
      if (depth > MAX_DEPTH) return fault(TOO_DEEP)
      if (isAlias(node)) aliases += 1
      if (isAlias(node) && this.#meant(node) === undefined) return fault('no anchor before has this name')
      if (aliases > MAX_ALIASES) return fault(`there are more than ${MAX_ALIASES} aliases`)
      for (const next of innerOf(node)) left.push({ node: next, depth: depth + 1 })
    }
    return undefined
  }

  /** Keys that are repeated. Only the last value would apply. */
  repeatedKeys(): TextFault[] {
    const faults: TextFault[] = []
    visit(this.document, {
      Map: (_key, map) => {
        const seen = new Set<unknown>()
        for (const { key } of map.items) {
          if (!isScalar(key)) continue
          if (seen.has(key.value)) faults.push({ place: this.nodePlace(key), message: 'this key stands there twice' })
          seen.add(key.value)
        }
      },
    })
    return faults
  }

  /** From now on paths are those of the values after route sets are in place. @param writtenAt gives the path in the file. */
  rearrange(writtenAt: (path: Path) => Path): void {
    this.#writtenAt = writtenAt
  }

  /** The path in the file of a path into its values. */
  pathAt(path: Path): Path {
    return this.#writtenAt(path)
  }

  has(path: Path): boolean {
    return this.#find(path).depth === this.pathAt(path).length
  }

  /** The value at a path, or the nearest one on the way. */
  valueAt(path: Path): Place {
    const { pair, node } = this.#find(path)
    return this.#place(rangeOf(node) ?? rangeOf(pair?.key) ?? [0, 0])
  }

  /** The last key of a path. */
  keyAt(path: Path): Place {
    const { pair, node } = this.#find(path)
    return this.#place(rangeOf(pair?.key) ?? rangeOf(node) ?? [0, 0])
  }

  /** The whole text of the value at a path; of what an alias stands for. */
  textAt(path: Path): string {
    const { node } = this.#find(path)
    const [from, to] = rangeOf(this.#meant(node)) ?? [0, 0]
    return this.#text.slice(from, to)
  }

  /** The plain value at a path; undefined for a map or a list. It may come from the environment: not for a message. */
  scalarAt(path: Path): unknown {
    const { node } = this.#find(path)
    const inside = this.#meant(node)
    return isScalar(inside) ? inside.value : undefined
  }

  isMapAt(path: Path): boolean {
    return isMap(this.#find(path).node)
  }

  isListAt(path: Path): boolean {
    return isSeq(this.#find(path).node)
  }

  nodePlace(node: Node): Place {
    return this.#place(rangeOf(node) ?? [0, 0])
  }

  /** Shows stars for the value at a path from now on: that of an unknown key may be a secret whose key is misspelt. */
  hide(path: Path): void {
    const { pair, depth } = this.#find(path)
    const range = depth === this.pathAt(path).length ? rangeOf(pair?.value) : undefined
    if (range !== undefined) this.#hidden.push(range)
  }

  /** A line without its end. Of a hidden value, or one below `headers.….set`, which may be a secret, it has stars. */
  line(number: number): string {
    const line = this.#withoutHidden(number, this.#written[number - 1]?.replace(/\r$/, '') ?? '')
    return this.#isBelowSet(number) ? withoutValue(line) : line
  }

  #withoutHidden(number: number, whole: string): string {
    const start = this.#lines.lineStarts[number - 1] ?? 0
    return this.#hidden.reduce((line, [from, to]) => {
      const [first, end] = [Math.max(0, from - start), Math.min(line.length, to - start)]
      return first < end ? line.slice(0, first) + '*'.repeat(end - first) + line.slice(end) : line
    }, whole)
  }

  /** Looks at indentation alone, since a faulty file may have no structure. */
  #isBelowSet(number: number): boolean {
    let indent = indentOf(this.#written[number - 1] ?? '')
    for (let above = number - 2; above >= 0 && indent > 0; above -= 1) {
      const line = this.#written[above] ?? ''
      if (line.trim() === '' || indentOf(line) >= indent) continue
      if (OPENS_SET.test(line)) return true
      indent = indentOf(line)
    }
    return false
  }

  #find(path: Path): { pair: Pair | undefined; node: unknown; depth: number } {
    let node: unknown = this.document.contents
    let pair: Pair | undefined
    let depth = 0
    for (const key of this.pathAt(path)) {
      const inside = this.#meant(node)
      if (isMap(inside)) {
        const found = this.#pairIn(inside, key)
        if (found === undefined) break
        pair = found
        node = found.value ?? found.key
      } else if (isSeq(inside) && inside.items[Number(key)] !== undefined) {
        pair = undefined
        node = inside.items[Number(key)]
      } else break
      depth += 1
    }
    return { pair, node, depth }
  }

  /** The node, or that which it is an alias of. */
  #meant(node: unknown): unknown {
    if (!isAlias(node)) return node
    this.#targets ??= targetsIn(this.document.contents)
    return this.#targets.get(node)
  }

  /**
   * A map's own key, or else that of a block which it merges in.
   * @param seen maps that were searched: a block may be merged in again and again, also into itself.
   */
  #pairIn(map: YAMLMap, key: PropertyKey, seen = new Set<YAMLMap>()): Pair | undefined {
    if (seen.has(map)) return undefined
    seen.add(map)
    const own = map.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
    if (own !== undefined) return own
    const merged = map.items.filter((item) => isScalar(item.key) && isMergeKey(item.key.value))
    const blocks = merged.flatMap(({ value }) => (isSeq(value) ? value.items : [value]))
    for (const one of blocks) {
      const block = this.#meant(one)
      const found = isMap(block) ? this.#pairIn(block, key, seen) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  #place([from, to]: Range): Place {
    const { line, col } = this.#lines.linePos(from)
    const [first = ''] = this.#text.slice(from, Math.min(to, from + SHOWN_CHARS + 1)).split('\n')
    const text = first.length > SHOWN_CHARS ? `${first.slice(0, SHOWN_CHARS)}…` : first
    const isHidden = this.#hidden.some(([start, end]) => from >= start && from < end)
    return { line: Math.max(1, line), column: Math.max(1, col), text: isHidden ? '' : text.trimEnd() }
  }
}

/**
 * What each alias stands for: the last node before it with its anchor (YAML 1.2.2 section 7.1). The library walks the document for each
 * alias, and by recursion.
 */
function targetsIn(contents: unknown): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  const left: unknown[] = [contents]
  while (left.length > 0) {
    const node = left.pop()
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target !== undefined) targets.set(node, target)
    } else if (isNode(node) && node.anchor !== undefined) anchors.set(node.anchor, node)
    for (const inner of innerOf(node).toReversed()) left.push(inner)
  }
  return targets
}

/** What a node has directly below it, in the order of the text. */
const innerOf = (node: unknown): readonly unknown[] =>
  isMap(node) || isSeq(node) ? node.items : isPair(node) ? [node.key, node.value] : []

const isMergeKey = (key: unknown) => typeof key === 'symbol' && key.description === '<<'

const indentOf = (line: string) => line.length - line.trimStart().length

/** A line that ends with `set:`, or with the beginning of the map that follows it. */
const OPENS_SET = /(?:^|[\s{,])["']?set["']?:\s*(?:[&#][^{]*)?(?:\{[^}]*)?$/

/** Masks what follows the first colon, character by character. */
const withoutValue = (line: string) =>
  line.replace(
    /^(\s*(?:"[^"]*"|'[^']*'|[^:'"]*):\s*|\s*)(.*)$/,
    (_, before: string, value: string) => before + '*'.repeat(value.length),
  )

function rangeOf(node: unknown): Range | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined
  const [from, to] = node.range
  return typeof from === 'number' && typeof to === 'number' ? [from, to] : undefined
}

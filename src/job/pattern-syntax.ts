/**
 * Reads a regular expression in RE2's syntax into a program for pattern.ts. Back-references and look-around are refused: no
 * program of states can answer them in linear time.
 */

/** `before` and `after` are the characters beside the present position; undefined at the ends of the text. */
type Assertion = (before: string | undefined, after: string | undefined) => boolean

type Instruction =
  | { readonly op: 'char'; readonly accepts: (char: string) => boolean; readonly next: number }
  | { readonly op: 'assert'; readonly holds: Assertion; readonly next: number }
  | { readonly op: 'split'; readonly next: readonly number[] }
  | { readonly op: 'match' }

export type Program = { readonly instructions: readonly Instruction[]; readonly start: number }

type Node =
  | { readonly kind: 'char'; readonly accepts: (char: string) => boolean }
  | { readonly kind: 'assert'; readonly holds: Assertion }
  | { readonly kind: 'sequence'; readonly of: readonly Node[] }
  | { readonly kind: 'either'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number }

/** A regular expression that is not understood, or too large; the message says why. */
export class PatternFault extends Error {}

/** Largest number of instructions: the time for one character grows with it. */
const MAX_INSTRUCTIONS = 200
/** Largest number of repetitions in `{n,m}`. */
const MAX_COUNT = 1000
/** Deepest nesting of groups. */
const MAX_DEPTH = 50

/** @throws PatternFault */
export function readPattern(text: string): Program {
  return compiled(new Reader(text).read())
}

const isWord = (char: string | undefined) => char !== undefined && /\w/.test(char)
const isAtBound: Assertion = (before, after) => isWord(before) !== isWord(after)

/** Meanings of a letter after a backslash that stands for a position. */
const POSITIONS: Readonly<Record<string, Assertion>> = {
  A: (before) => before === undefined,
  z: (_, after) => after === undefined,
  b: isAtBound,
  B: (before, after) => !isAtBound(before, after),
}

/** Escapes that JavaScript reads in the same way. */
const SHARED_ESCAPE = /\\(?:[dDwWsSnrtfv]|x[\da-fA-F]{2})/y
const CODE_POINT = /\\x\{([\da-fA-F]{1,6})\}/y
const PROPERTY = /\\([pP])(?:\{(\^?)([\w=]+)\}|([A-Z]))/y
const QUANTIFIER = /(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/y
const GROUP_FLAGS = /\(\?([ims]*)(?:-([ims]+))?([:)])/y
const GROUP_NAME = /\(\?P?<\w+>/y
const CLASS = /\[\^?(?!\])(?:\\.|[^\]\\])*\]/suy

class Reader {
  readonly #text: string
  #at = 0
  #depth = 0
  /** Flags in force: i (case), s (a dot stands for a line break, too), m (^ and $ stand at line breaks, too). */
  #flags = new Set<string>()

  constructor(text: string) {
    this.#text = text
  }

  read(): Node {
    const node = this.#alternatives()
    if (this.#at < this.#text.length) throw new PatternFault('a ) without its (')
    return node
  }

  #alternatives(): Node {
    const of = [this.#sequence()]
    while (this.#takes('|')) of.push(this.#sequence())
    return of.length === 1 && of[0] !== undefined ? of[0] : { kind: 'either', of }
  }

  #sequence(): Node {
    const of: Node[] = []
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined || char === '|' || char === ')') return { kind: 'sequence', of }
      of.push(this.#repeated())
    }
  }

  #repeated(): Node {
    const of = this.#atom()
    const found = this.#take(QUANTIFIER)
    if (found === undefined) return of
    if (this.#take(QUANTIFIER) !== undefined || this.#text[this.#at] === '+')
      throw new PatternFault(`two quantifiers in a row after ${found[0]}`)
    const [sign, least, comma, most] = found
    const { min, max } = least === undefined ? countsOf(sign) : boundsOf(Number(least), comma, most)
    if (min > MAX_COUNT || (max !== Number.POSITIVE_INFINITY && max > MAX_COUNT) || max < min)
      throw new PatternFault(`${sign} is no count up to ${MAX_COUNT}`)
    return { kind: 'repeat', of, min, max }
  }

  #atom(): Node {
    const char = this.#text[this.#at]
    if (char === '(') return this.#group()
    if (char === '[') return this.#class()
    if (char === '\\') return this.#escape()
    if (char === '*' || char === '+' || char === '?') throw new PatternFault(`${char} has nothing to repeat`)
    if (this.#takes('.')) return this.#char('.')
    const isMultiline = this.#flags.has('m')
    if (this.#takes('^'))
      return { kind: 'assert', holds: (before) => before === undefined || (isMultiline && before === '\n') }
    if (this.#takes('$'))
      return { kind: 'assert', holds: (_, after) => after === undefined || (isMultiline && after === '\n') }
    return this.#literal()
  }

  #literal(): Node {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)
    this.#at += char.length
    return this.#char(RegExp.escape(char))
  }

  #group(): Node {
    const outer = new Set(this.#flags)
    const flags = this.#take(GROUP_FLAGS)
    if (flags !== undefined) {
      const [, on = '', off = '', end] = flags
      for (const flag of on) this.#flags.add(flag)
      for (const flag of off) this.#flags.delete(flag)
      // Without a colon the flags hold up to the end of the group around them.
      if (end === ')') return { kind: 'sequence', of: [] }
    } else if (this.#take(GROUP_NAME) === undefined) {
      if (/^\(\?<?[=!]/.test(this.#text.slice(this.#at)))
        throw new PatternFault('look-around is not possible in linear time')
      if (this.#text.startsWith('(?', this.#at))
        throw new PatternFault(`${this.#text.slice(this.#at, this.#at + 3)} is no group`)
      this.#at += 1
    }
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new PatternFault(`groups are nested more than ${MAX_DEPTH} deep`)
    const node = this.#alternatives()
    if (!this.#takes(')')) throw new PatternFault('a ( without its )')
    this.#depth -= 1
    this.#flags = outer
    return node
  }

  #class(): Node {
    const source = this.#take(CLASS)?.[0]
    if (source === undefined) throw new PatternFault('a [ without its ], or an empty class')
    if (source.includes('[:')) throw new PatternFault(`${source}: write \\d, \\w or a range for a class in [: :]`)
    return this.#char(source)
  }

  #escape(): Node {
    const shared = this.#take(SHARED_ESCAPE)?.[0]
    if (shared !== undefined) return this.#char(shared)
    const point = this.#take(CODE_POINT)?.[1]
    if (point !== undefined) return this.#char(`\\u{${point}}`)
    const property = this.#take(PROPERTY)
    if (property !== undefined) return this.#property(property)
    const letter = this.#text[this.#at + 1]
    if (letter === undefined) throw new PatternFault('a \\ at the end')
    if (/[1-9k]/.test(letter)) throw new PatternFault('back-references are not possible in linear time')
    const holds = POSITIONS[letter]
    if (holds === undefined && /[\da-zA-Z]/.test(letter)) throw new PatternFault(`\\${letter} has no meaning`)
    this.#at += 1
    if (holds === undefined) return this.#literal()
    this.#at += 1
    return { kind: 'assert', holds }
  }

  #property([source, sign = 'p', negation, long = '', short]: RegExpExecArray): Node {
    const isNegated = (sign === 'P') !== (negation === '^')
    const name = short ?? long
    const found = [name, `Script=${name}`].find((one) => isRegExp(`\\p{${one}}`))
    if (found === undefined) throw new PatternFault(`${source} names no property of Unicode`)
    return this.#char(`\\${isNegated ? 'P' : 'p'}{${found}}`)
  }

  /** @param source a regular expression of JavaScript for one character: it cannot backtrack. */
  #char(source: string): Node {
    const flags = ['u', ...this.#flags].filter((flag) => flag !== 'm').join('')
    if (!isRegExp(source)) throw new PatternFault(`${source} is not understood`)
    return { kind: 'char', accepts: remembering(new RegExp(`^${source}$`, flags)) }
  }

  #takes(char: string): boolean {
    const isThere = this.#text[this.#at] === char
    if (isThere) this.#at += 1
    return isThere
  }

  #take(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#text) ?? undefined
    if (found !== undefined) this.#at += found[0].length
    return found
  }
}

const ASCII = 128

/** A test of one character that asks the expression once for each character of ASCII. */
function remembering(one: RegExp): (char: string) => boolean {
  const known = new Uint8Array(ASCII)
  return (char) => {
    const code = char.charCodeAt(0)
    if (code >= ASCII) return one.test(char)
    if (known[code] === 0) known[code] = one.test(char) ? 2 : 1
    return known[code] === 2
  }
}

function isRegExp(source: string): boolean {
  try {
    return new RegExp(source, 'u') instanceof RegExp
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

const countsOf = (sign: string) => ({
  min: sign.startsWith('+') ? 1 : 0,
  max: sign.startsWith('?') ? 1 : Number.POSITIVE_INFINITY,
})

const boundsOf = (min: number, comma: string | undefined, most: string | undefined) => ({
  min,
  max: comma === undefined ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most),
})

function compiled(node: Node): Program {
  const instructions: Instruction[] = [{ op: 'match' }]
  const add = (instruction: Instruction): number => {
    if (instructions.length >= MAX_INSTRUCTIONS) throw new PatternFault('it is too large: fewer or shorter repetitions')
    return instructions.push(instruction) - 1
  }
  const addLoop = (inner: Node, next: number): number => {
    const at = add({ op: 'split', next: [next] })
    instructions[at] = { op: 'split', next: [emit(inner, at), next] }
    return at
  }
  /** Adds the instructions of a node that goes on with `next`. @returns the first of them. */
  const emit = (one: Node, next: number): number => {
    if (one.kind === 'char') return add({ op: 'char', accepts: one.accepts, next })
    if (one.kind === 'assert') return add({ op: 'assert', holds: one.holds, next })
    if (one.kind === 'sequence') return one.of.reduceRight((after, inner) => emit(inner, after), next)
    if (one.kind === 'either') return add({ op: 'split', next: one.of.map((inner) => emit(inner, next)) })
    let first = one.max === Number.POSITIVE_INFINITY ? addLoop(one.of, next) : next
    const optional = one.max === Number.POSITIVE_INFINITY ? 0 : one.max - one.min
    for (let i = 0; i < optional; i += 1) first = add({ op: 'split', next: [emit(one.of, first), next] })
    for (let i = 0; i < one.min; i += 1) first = emit(one.of, first)
    return first
  }
  const start = emit(node, 0)
  return { instructions, start }
}

/**
 * Searches a text for a regular expression in RE2's syntax. Time is linear in the text whatever the two are: all states of the
 * expression go through the text together, once. V8's own engine backtracks, and a text of an upstream could stop the process.
 */

import { type Program, readPattern } from './pattern-syntax.ts'

/** Largest number of remembered transitions. A text that needs more is read without remembering any. */
const MAX_TRANSITIONS = 5_000
/** Number of steps after which they are counted anew: well below what 32 bits hold, with a text of 16 MiB after it. */
const MAX_STEPS = 2 ** 31

/** Instructions that wait for the next character, and the character before it. */
type State = {
  readonly waiting: readonly number[]
  readonly before: string | undefined
  readonly next: Map<string, State>
}

/** The expression was found. */
const FOUND: State = { waiting: [], before: undefined, next: new Map() }

export class Pattern {
  readonly #program: Program
  /** Step at which each instruction was reached last, so that no step clears a list. */
  readonly #reachedAt: Uint32Array
  #step = 0
  #states = new Map<string, State>()
  #transitions = 0

  /** @throws PatternFault */
  constructor(text: string) {
    this.#program = readPattern(text)
    this.#reachedAt = new Uint32Array(this.#program.instructions.length)
  }

  isIn(text: string): boolean {
    if (this.#transitions >= MAX_TRANSITIONS || this.#step > MAX_STEPS) this.#forget()
    let state: State = { waiting: [this.#program.start], before: undefined, next: new Map() }
    for (const char of text) {
      state = state.next.get(char) ?? this.#advance(state, char)
      if (state === FOUND) return true
    }
    return this.#after(state, undefined) === undefined
  }

  #forget(): void {
    this.#states = new Map()
    this.#transitions = 0
    this.#reachedAt.fill(0)
    this.#step = 0
  }

  #advance(state: State, char: string): State {
    const waiting = this.#after(state, char)
    if (waiting === undefined) return FOUND
    waiting.push(this.#program.start)
    if (this.#transitions >= MAX_TRANSITIONS) return { waiting, before: char, next: NOTHING }
    this.#transitions += 1
    const next = this.#remembered(waiting, alike(char))
    state.next.set(char, next)
    return next
  }

  #remembered(waiting: readonly number[], before: string): State {
    const key = `${before}${[...new Set(waiting)].sort((a, b) => a - b).join()}`
    const known = this.#states.get(key)
    if (known !== undefined) return known
    const state: State = { waiting, before, next: new Map() }
    this.#states.set(key, state)
    return state
  }

  /** Instructions after a character; undefined when the expression ends before it. @param char undefined at the end. */
  #after({ waiting, before }: State, char: string | undefined): number[] | undefined {
    this.#step += 1
    const after: number[] = []
    const left = [...waiting]
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      if (this.#reachedAt[at] === this.#step) continue
      this.#reachedAt[at] = this.#step
      const one = this.#program.instructions[at]
      if (one === undefined || one.op === 'match') return undefined
      if (one.op === 'split') left.push(...one.next)
      else if (one.op === 'char' ? char !== undefined && one.accepts(char) : one.holds(before, char)) {
        if (one.op === 'char') after.push(one.next)
        else left.push(one.next)
      }
    }
    return after
  }
}

/** Transitions of a state that is not remembered. */
const NOTHING: Map<string, State> = new Map()

/** One character for all those that assertions do not tell apart, so that there are few states. */
function alike(char: string): string {
  if (char === '\n') return char
  return /\w/.test(char) ? 'a' : ' '
}

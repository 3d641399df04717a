/** What keys do in `breakwater top`: choosing, filtering, looking into an upstream, forcing its breakers. Pure. */

import type { BreakerMode } from '../dashboard/shapes.ts'

/** A question at the bottom of the screen, answered letter by letter. */
type Prompt =
  | { readonly asks: 'filter' }
  | { readonly asks: 'mode'; readonly name: string }
  | { readonly asks: 'for'; readonly name: string; readonly mode: BreakerMode; readonly text: string }
  | {
      readonly asks: 'reason'
      readonly name: string
      readonly mode: BreakerMode
      readonly for: string
      readonly text: string
    }

export type View = {
  /** Part of the names that are shown. */
  readonly filter: string
  readonly chosen: string | undefined
  /** The upstream that is looked into. */
  readonly inside: string | undefined
  readonly prompt: Prompt | undefined
  /** Outcome of the last order. */
  readonly message: string
}

type Order = { readonly mode: BreakerMode; readonly for?: string; readonly reason?: string }
/** What is to be done outside of the view. */
export type Act = { readonly quit: true } | { readonly force: string; readonly order: Order }
type Pressed = { readonly view: View; readonly act?: Act }

export const FRESH: View = { filter: '', chosen: undefined, inside: undefined, prompt: undefined, message: '' }

/** End that is offered, as on the page. */
const USUAL_END = '30m'
const ENTER = new Set(['\r', '\n'])
const ESCAPE = '\x1b'
const BACK = new Set(['\x7f', '\b'])
const STEPS: Readonly<Record<string, number>> = {
  '\x1b[A': -1,
  k: -1,
  '\x1b[B': 1,
  j: 1,
  '\x1b[5~': -10,
  '\x1b[6~': 10,
}
const MODES: Readonly<Record<string, BreakerMode>> = { o: 'forced-open', c: 'forced-closed', b: 'observe', a: 'auto' }

/** @param names of the upstreams that are shown, in their order. */
export function press(view: View, key: string, names: readonly string[]): Pressed {
  if (key === '\x03') return { view, act: { quit: true } }
  if (view.prompt !== undefined) return answer({ ...view, message: '' }, view.prompt, key)
  if (key === 'q') return { view, act: { quit: true } }
  return { view: moved({ ...view, message: '' }, key, names) }
}

/** The upstream that keys are about: the one that is looked into, or else the chosen one, or else the first. */
export function meantBy({ inside, chosen }: View, names: readonly string[]): string | undefined {
  if (inside !== undefined) return inside
  return chosen !== undefined && names.includes(chosen) ? chosen : names[0]
}

function moved(view: View, key: string, names: readonly string[]): View {
  const meant = meantBy(view, names)
  const step = STEPS[key]
  if (step !== undefined && names.length > 0 && view.inside === undefined) {
    const at = meant === undefined ? 0 : names.indexOf(meant)
    return { ...view, chosen: names[Math.max(0, Math.min(names.length - 1, at + step))] }
  }
  if (ENTER.has(key) && meant !== undefined) return { ...view, chosen: meant, inside: meant }
  if (key === ESCAPE || BACK.has(key))
    return view.inside === undefined ? { ...view, filter: '' } : { ...view, inside: undefined }
  if (key === '/') return { ...view, inside: undefined, prompt: { asks: 'filter' } }
  if (key === 'f' && meant !== undefined) return { ...view, prompt: { asks: 'mode', name: meant } }
  return view
}

function answer(view: View, prompt: Prompt, key: string): Pressed {
  const closed = { ...view, prompt: undefined }
  if (key === ESCAPE) return { view: prompt.asks === 'filter' ? { ...closed, filter: '' } : closed }
  if (prompt.asks === 'filter') {
    if (ENTER.has(key)) return { view: closed }
    return { view: { ...view, filter: typed(view.filter, key) } }
  }
  if (prompt.asks === 'mode') {
    const mode = MODES[key]
    if (mode === undefined) return { view }
    const { name } = prompt
    if (mode === 'auto') return { view: closed, act: { force: name, order: { mode } } }
    return { view: { ...view, prompt: { asks: 'for', name, mode, text: USUAL_END } } }
  }
  if (!ENTER.has(key)) return { view: { ...view, prompt: { ...prompt, text: typed(prompt.text, key) } } }
  const { name, mode, text } = prompt
  if (prompt.asks === 'for') return { view: { ...view, prompt: { asks: 'reason', name, mode, for: text, text: '' } } }
  const end = prompt.for === '' || prompt.for === 'never' ? {} : { for: prompt.for }
  const reason = text === '' ? {} : { reason: text }
  return { view: closed, act: { force: name, order: { mode, ...end, ...reason } } }
}

/** Pasted text comes as one key. */
function typed(text: string, key: string): string {
  if (BACK.has(key)) return text.slice(0, -1)
  return key.startsWith(ESCAPE) ? text : text + key.replace(/\p{Cc}/gu, '')
}

/** The last line of the screen. */
export function bottomLine({ filter, inside, prompt, message }: View): string {
  if (prompt?.asks === 'filter') return `name contains: ${filter}_   Enter keeps it, Esc shows all`
  if (prompt?.asks === 'mode')
    return `force ${prompt.name}: o open, c closed, b observe only, a automatic again; Esc leaves it`
  if (prompt?.asks === 'for') return `${prompt.name} ${worded(prompt.mode)} for (30m, 2h, never): ${prompt.text}_`
  if (prompt?.asks === 'reason') return `${prompt.name} ${worded(prompt.mode)}, reason: ${prompt.text}_`
  if (message !== '') return message
  const filtered = filter === '' ? '' : `containing ${filter} (Esc shows all)   `
  return inside === undefined
    ? `${filtered}↑↓ choose   Enter look into   / filter   f force   q quit`
    : 'Esc back   f force   q quit'
}

const worded = (mode: BreakerMode) => mode.replace('-', ' ')

/** An outage, a scenario or an access log through the configuration in force, and through a changed one beside it. */

import { ApiError } from './api.js'
import { element, say } from './element.js'
import { simulationForm } from './simulate-form.js'
import { simulationResult } from './simulation-result.js'

/** @import { SimulationView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @typedef {(order: object, signal: AbortSignal) => Promise<SimulationView>} Simulate */

const ABOUT =
  'The policies run on a clock of their own, in a thread of the sidecar. Nothing is sent to an upstream, and nothing changes.'

/** @param {HTMLElement} place @param {State} state @param {Simulate} simulate */
export function simulateView(place, state, simulate) {
  const { parts, order, update } = simulationForm(state)
  const run = element('button', {}, 'Simulate')
  const cancel = element('button', { type: 'button', class: 'quiet' }, 'Cancel')
  const doing = element('span', { role: 'status' })
  const trouble = element('div', { class: 'trouble', role: 'alert' })
  const result = element('div', { class: 'simulated' })
  const buttons = element('div', { class: 'question' }, run, cancel, doing)
  const form = element('form', { class: 'simulation' }, ...parts, buttons)
  place.append(element('p', { class: 'none' }, ABOUT), form, trouble, result)
  for (const part of [cancel, trouble, result]) part.hidden = true

  /** @type {AbortController | undefined} */
  let running
  const stand = (/** @type {boolean} */ isRunning) => {
    run.disabled = isRunning
    cancel.hidden = !isRunning
    say(doing, isRunning ? 'Simulating: 20 s at most.' : '')
  }
  const show = (/** @type {HTMLElement} */ where, /** @type {Node[]} */ nodes) => {
    for (const part of [trouble, result]) part.hidden = part !== where
    where.replaceChildren(...nodes)
  }
  cancel.addEventListener('click', () => running?.abort())
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const mine = new AbortController()
    running = mine
    stand(true)
    try {
      show(result, simulationResult(await simulate(await order(), mine.signal)))
      result.querySelector('h3')?.focus()
    } catch (error) {
      show(trouble, mine.signal.aborted ? [element('p', {}, 'Cancelled.')] : wordsOf(error))
    } finally {
      stand(false)
    }
  })
  return { update }
}

/** @param {unknown} error @returns {Node[]} */
function wordsOf(error) {
  if (!(error instanceof ApiError)) return [element('p', {}, 'No answer.')]
  const faults = error.faults.map(({ line, path, message }) =>
    element('li', {}, `${line === null ? '' : `line ${line}: `}${path === '' ? '' : `${path}: `}${message}`),
  )
  const list = faults.length === 0 ? [] : [element('ul', { class: 'faults' }, ...faults)]
  return [element('p', {}, `${error.message}.`), ...list]
}

/** The result of a simulation: a sentence, how far a log can be believed, the table, and what was assumed. */

import { count } from './format.js'
import { element } from './element.js'

/** @import { SimulationView } from './shapes.ts' */

/** @param {SimulationView} view */
export function simulationResult({ belief, rows, runs, assumptions, remarks }) {
  const [head = [], ...body] = rows
  const believed = belief === undefined ? [] : [list(belief.says, belief.isBelievable ? 'believed' : 'doubted')]
  const table = element(
    'table',
    {},
    element('caption', { class: 'spoken' }, 'Figures of each run'),
    element('thead', {}, element('tr', {}, ...head.map((title) => cell(title === '' ? 'Figure' : title)))),
    element('tbody', {}, ...body.map(row)),
  )
  return [
    element('h3', { tabindex: '-1' }, sentenceOf(runs)),
    ...believed,
    element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Figures of each run' }, table),
    element('details', {}, element('summary', {}, 'What was assumed'), list([...remarks, ...assumptions], 'assumed')),
  ]
}

/** @param {string} title */
const cell = (title) => element('th', { scope: 'col' }, title)

/** Indented titles belong to the one above. @param {readonly string[]} cells */
function row([title = '', ...values]) {
  const depth = (title.length - title.trimStart().length) / 2
  return element(
    'tr',
    {},
    element('th', { scope: 'row', 'data-depth': depth }, title.trim()),
    ...values.map((value) => element('td', {}, value)),
  )
}

/** @param {readonly string[]} lines @param {string} look */
const list = (lines, look) => element('ul', { class: `notes ${look}` }, ...lines.map((line) => element('li', {}, line)))

/** @param {SimulationView['runs']} runs */
function sentenceOf(runs) {
  const [now, changed] = ['in force', 'changed'].map((name) => runs.find((run) => run.name === name))
  if (now === undefined) return ''
  const { requests, outcomes } = now.figures
  const of = `Of ${count(requests)} requests ${count(outcomes.served)} are served by the configuration in force`
  if (changed === undefined) return `${of}.`
  const more = changed.figures.outcomes.served - outcomes.served
  const verdict = more === 0 ? 'as many' : `${count(Math.abs(more))} ${more > 0 ? 'more' : 'fewer'}`
  return `${of}, ${count(changed.figures.outcomes.served)} by the changed one: ${verdict}.`
}

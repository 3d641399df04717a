/** The attempts of a request on one time line, with the waits between them and what each retry followed. */

import { element } from './element.js'
import { length } from './format.js'

/** @import { AttemptView } from './shapes.ts' */

/** @param {readonly AttemptView[]} history @param {number} total_ms */
export function attemptList(history, total_ms) {
  if (history.length === 0) return element('p', { class: 'none' }, 'No attempt was made.')
  const wholeMs = Math.max(total_ms, ...history.map(({ at_ms, ms }) => at_ms + ms), 1)
  return element(
    'ol',
    { class: 'attempts' },
    ...history.map((attempt, i) => attemptLine(attempt, history[i - 1], wholeMs)),
  )
}

/** @param {AttemptView} attempt @param {AttemptView | undefined} before @param {number} wholeMs */
function attemptLine({ at_ms, ms, outcome, endpoint }, before, wholeMs) {
  const bar = element('span', { class: 'bar' })
  bar.style.left = `${((at_ms / wholeMs) * 100).toFixed(2)}%`
  bar.style.width = `${((ms / wholeMs) * 100).toFixed(2)}%`
  return element(
    'li',
    {},
    element('span', { class: 'outcome' }, outcome),
    element('span', { class: 'span', 'aria-hidden': 'true' }, bar),
    element(
      'span',
      { class: 'when' },
      `${startWords(at_ms, before)}, took ${length(ms)}${endpoint === null ? '' : ` at ${endpoint}`}`,
    ),
  )
}

/** @param {number} at_ms @param {AttemptView | undefined} before */
function startWords(at_ms, before) {
  if (before === undefined) return `after ${length(at_ms)}`
  const waited = at_ms - before.at_ms - before.ms
  return waited < 0 ? `beside the one before, after ${length(at_ms)}` : `${length(waited)} after ${before.outcome}`
}

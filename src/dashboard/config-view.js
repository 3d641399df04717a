/** The configuration in force as text, and the outcome of the last reload. */

import { element, say } from './element.js'
import { moment } from './format.js'

/** @import { ConfigView, Reload } from './shapes.ts' */

/** @param {{ readonly about: Element, readonly last: HTMLElement, readonly text: Element }} places */
export function configView({ about, last, text }) {
  /** @type {ConfigView | undefined} */
  let shown
  return {
    /** @param {ConfigView | undefined} config */
    update: (config) => {
      if (config === shown || config === undefined) return
      shown = config
      const { file, version, since, last_reload } = config
      const source = file === '' ? 'No file' : `${file}, version ${version}`
      say(about, `${source}, in force since ${moment(since)}`)
      last.replaceChildren(
        ...(last_reload === null ? [element('p', {}, 'Not reloaded since the start.')] : reloadParts(last_reload)),
      )
      last.dataset.outcome = last_reload?.outcome ?? 'none'
      say(text, JSON.stringify(config.config, undefined, 2))
    },
  }
}

/** @param {Reload} reload @returns {Node[]} */
function reloadParts({ at, trigger, outcome, faults, restart_needed }) {
  const verdict = outcome === 'refused' ? 'refused: the earlier configuration stays in force' : outcome
  return [
    element('p', {}, `Last reload ${moment(at)} (${trigger}): ${verdict}`),
    ...(faults.length === 0
      ? []
      : [element('ul', { class: 'faults' }, ...faults.map((fault) => element('li', {}, faultWords(fault))))]),
    ...(restart_needed.length === 0 ? [] : [element('p', {}, `Needs a restart: ${restart_needed.join(', ')}`)]),
  ]
}

/** @param {Reload['faults'][number]} fault */
const faultWords = ({ line, column, path, message }) =>
  [line === undefined ? '' : `${line}:${column}`, path, message].filter((part) => part !== '').join(': ')

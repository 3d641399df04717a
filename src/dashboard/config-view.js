/** The configuration in force as text, and the outcome of the last reload. */

import { changesTitle, faultWords, inForceWords, NOT_RELOADED, reloadWords } from './config-words.js'
import { element, keyed, mark, say } from './element.js'

/** @import { ConfigChangesView, ConfigView, Reload } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @param {{ readonly about: Element, readonly last: HTMLElement, readonly text: Element, readonly title: Element, readonly diff: Element }} places */
export function configView({ about, last, text, title, diff }) {
  /** @type {ConfigView | undefined} */
  let shown
  return {
    /** @param {State} state */
    update: ({ config, changes }) => {
      if (changes !== undefined) showChanges(changes, title, diff)
      if (config === shown || config === undefined) return
      shown = config
      const { last_reload } = config
      say(about, inForceWords(config))
      last.replaceChildren(...(last_reload === null ? [element('p', {}, NOT_RELOADED)] : reloadParts(last_reload)))
      last.dataset.outcome = last_reload?.outcome ?? 'none'
      say(text, JSON.stringify(config.config, undefined, 2))
    },
  }
}

/** @param {Reload} reload @returns {Node[]} */
function reloadParts(reload) {
  const { faults, restart_needed } = reload
  return [
    element('p', {}, reloadWords(reload)),
    ...(faults.length === 0
      ? []
      : [element('ul', { class: 'faults' }, ...faults.map((fault) => element('li', {}, faultWords(fault))))]),
    ...(restart_needed.length === 0 ? [] : [element('p', {}, `Needs a restart: ${restart_needed.join(', ')}`)]),
  ]
}

/** @param {ConfigChangesView} view @param {Element} title @param {Element} diff */
function showChanges(view, title, diff) {
  say(title, changesTitle(view))
  keyed(diff, view.changes ?? [], ({ path }) => path, changePart)
}

function changePart() {
  const path = element('code')
  const before = element('del')
  const after = element('ins')
  const root = element('li', {}, path, before, after)
  return {
    root,
    /** @param {NonNullable<ConfigChangesView['changes']>[number]} change */
    update: (change) => {
      say(path, change.path)
      say(before, change.before ?? '')
      say(after, change.after ?? '')
      mark(root, 'data-kind', change.before === null ? 'added' : change.after === null ? 'removed' : 'changed')
    },
  }
}

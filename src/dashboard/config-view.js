/** The configuration in force as text, and the outcome of the last reload. */

import { element, keyed, mark, say } from './element.js'
import { moment } from './format.js'

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

/** @param {ConfigChangesView} view @param {Element} title @param {Element} diff */
function showChanges({ of, from, to, changes }, title, diff) {
  const what = {
    none: 'The file has not changed since the start.',
    refused: `What the refused file (${to}) would change in the one in force (${from})`,
    'in force': `What the last reload changed: ${from} → ${to}`,
  }
  say(title, changes === null ? `${what[of]}: a text cannot be read as YAML` : what[of])
  keyed(diff, changes ?? [], ({ path }) => path, changePart)
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

/** @param {Reload['faults'][number]} fault */
const faultWords = ({ line, column, path, message }) =>
  [line === undefined ? '' : `${line}:${column}`, path, message].filter((part) => part !== '').join(': ')

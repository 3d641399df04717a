/** The configuration in force, the last reload and what it changed, in words, for the page and for the commands. */

import { moment } from './format.js'

/** @import { ConfigChangesView, ConfigView, Reload } from './shapes.ts' */

export const NOT_RELOADED = 'Not reloaded since the start.'

/** @param {Pick<ConfigView, 'file' | 'version' | 'since'>} config */
export const inForceWords = ({ file, version, since }) =>
  `${file === '' ? 'No file' : `${file}, version ${version}`}, in force since ${moment(since)}`

/** @param {Pick<Reload, 'at' | 'trigger' | 'outcome'>} reload */
export function reloadWords({ at, trigger, outcome }) {
  const verdict = outcome === 'refused' ? 'refused: the earlier configuration stays in force' : outcome
  return `Last reload ${moment(at)} (${trigger}): ${verdict}`
}

/** @param {ConfigChangesView} view */
export function changesTitle({ of, from, to, changes }) {
  const what = {
    none: 'The file has not changed since the start.',
    refused: `What the refused file (${to}) would change in the one in force (${from})`,
    'in force': `What the last reload changed: ${from} → ${to}`,
  }
  return changes === null ? `${what[of]}: a text cannot be read as YAML` : what[of]
}

/** @param {Reload['faults'][number]} fault */
export const faultWords = ({ line, column, path, message }) =>
  [line === undefined ? '' : `${line}:${column}`, path, message].filter((part) => part !== '').join(': ')

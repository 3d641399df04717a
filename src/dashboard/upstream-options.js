/** The upstreams to choose from in a form: those that are known now. */

import { element } from './element.js'

/** @import { State } from './state.js' */

/**
 * @param {HTMLSelectElement} select
 * @param {readonly { readonly value: string, readonly says: string }[]} first options before those of the upstreams.
 * @param {(name: string) => string} says
 * @returns {(state: State) => void} draws them anew where they have changed, and keeps the choice.
 */
export function upstreamOptions(select, first, says) {
  let drawn = ''
  return ({ upstreams }) => {
    const names = upstreams.map(({ name }) => name)
    if (select.options.length > 0 && names.join('\n') === drawn) return
    drawn = names.join('\n')
    const chosen = select.value
    const options = [...first, ...names.map((name) => ({ value: name, says: says(name) }))]
    select.replaceChildren(...options.map(({ value, says: text }) => element('option', { value }, text)))
    if (options.some(({ value }) => value === chosen)) select.value = chosen
  }
}

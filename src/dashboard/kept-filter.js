/** Filters that are part of the address, so that a reload, the way back and a colleague get the same view. */

import { withQuery } from './router.js'

const TEXT = 'containing'
const TROUBLED = 'troubled'

/** Notes a change of a filter in the address, without an entry in the history for every key. @param {HTMLInputElement} text @param {HTMLInputElement} [troubled] a checkbox */
export function keepFilter(text, troubled) {
  text.addEventListener('input', () => note(TEXT, text.value.trim()))
  troubled?.addEventListener('input', () => note(TROUBLED, troubled.checked ? 'yes' : ''))
}

/** @param {string} key @param {string} value */
const note = (key, value) => history.replaceState(history.state, '', withQuery(location.hash, key, value))

/** Sets filters as the address has them. @param {URLSearchParams} query @param {HTMLInputElement} text @param {HTMLInputElement} [troubled] @returns whether one has changed. */
export function setFilter(query, text, troubled) {
  const before = [text.value, troubled?.checked]
  text.value = query.get(TEXT) ?? ''
  if (troubled) troubled.checked = query.has(TROUBLED)
  return text.value !== before[0] || troubled?.checked !== before[1]
}

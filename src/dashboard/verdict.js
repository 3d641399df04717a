/** Concerns: upstreams and reloads that need attention, for the top of the page and its title. */

import { element, mark, say } from './element.js'
import { errorPercent, lately, many, recent, share, stateWords } from './format.js'
import { nowOf } from './state.js'

/** @import { State } from './state.js' */

/** @typedef {{ readonly words: string, readonly at: string }} Concern its text, and the id of the element that shows the details */

/** Share of failed requests in the last minute, in percent, above which an upstream is a concern though no breaker is open. */
const MAX_FAILED = 10
/** Gravity of an upstream whose breakers are all open: above any share of failures. */
const ALL = 101
/** Concerns that are named; the others are counted. */
const MAX_NAMED = 3

/** Concerns, the worst first. @param {State} state @returns {Concern[]} */
export function concernsOf(state) {
  const upstreams = state.upstreams.flatMap((upstream) => {
    const failed = errorPercent(lately(state.samples, upstream.name, 60)) ?? 0
    const { name, breakers } = upstream
    const isUsual = breakers.every(({ mode, state: now }) => mode === 'auto' && now === 'closed')
    const isOpen = breakers.every(({ state: now }) => now === 'open') // its failures need no mention
    const words = [
      ...(isUsual ? [] : [stateWords(upstream)]),
      ...(failed > MAX_FAILED && !isOpen ? [`${share(failed)} failed`] : []),
    ]
    if (words.length === 0) return []
    return [{ gravity: isOpen ? ALL : failed, words: `${name} ${words.join(', ')}`, at: `upstream-${name}` }]
  })
  const isRefused = state.config?.last_reload?.outcome === 'refused'
  return [
    ...upstreams.sort((a, b) => b.gravity - a.gravity),
    ...(state.ownShares.length > 0
      ? [{ words: `fleet: own share of ${state.ownShares.join(', ')}`, at: 'upstreams-title' }]
      : []),
    ...(isRefused ? [{ words: 'last reload refused', at: 'config-title' }] : []),
  ]
}

/**
 * @param {readonly Concern[]} concerns
 * @param {State} state
 * @param {boolean} isLive whether the page is connected, so that the state is up to date.
 */
export function titleOf(concerns, state, isLive) {
  if (!isLive) return '(?) not connected – Breakwater'
  return concerns.length === 0 || state.upstreams.length === 0 ? 'Breakwater' : `(!) ${wordsOf(concerns)} – Breakwater`
}

/** @param {readonly Concern[]} concerns */
const wordsOf = (concerns) =>
  [...concerns.slice(0, MAX_NAMED).map(({ words }) => words), ...furtherOf(concerns)].join('; ')

/** @param {readonly Concern[]} concerns */
const furtherOf = ({ length }) => (length > MAX_NAMED ? [`${length - MAX_NAMED} more`] : [])

/** Shows the concerns, each with a link to its details. @param {Element} place */
export function verdict(place) {
  let shown = ''
  return {
    /** @param {readonly Concern[]} concerns @param {State} state @param {boolean} isLive */
    update: (concerns, state, isLive) => {
      const isKnown = state.upstreams.length > 0
      const now = nowOf(state)
      mark(place, 'data-well', !isLive || !isKnown ? 'unknown' : String(concerns.length === 0))
      const stale = isLive || now === undefined ? '' : `As of ${recent(now, undefined)}: `
      const well = isKnown
        ? `${many(state.upstreams.length, 'upstream')}, all breakers closed`
        : 'no upstream known yet'
      if (!isKnown || concerns.length === 0) {
        shown = ''
        return say(place, stale + well)
      }
      const content = stale + JSON.stringify(concerns)
      if (content === shown) return
      shown = content
      const links = concerns.slice(0, MAX_NAMED).map(({ words, at }) => element('a', { href: `#${at}` }, words))
      const parts = [...links, ...furtherOf(concerns)]
      place.replaceChildren(stale, ...parts.flatMap((part, i) => (i === 0 ? [part] : ['; ', part])))
    },
  }
}

/** The sentence at the top of the page, with a link to what it is about, and the other troubles below it. */

import { element, mark, say } from './element.js'
import { hashOf } from './router.js'
import { sentenceOf } from './sentence.js'

/** @import { Sentence } from './sentence.js' */
/** @import { Trouble } from './situation.js' */
/** @import { State } from './state.js' */

/** Other troubles that are named; the rest are counted. */
const MAX_OTHERS = 4

/** @param {HTMLElement} root */
export function sentenceView(root) {
  const what = element('a', { class: 'what' })
  const since = element('span', { class: 'moment' })
  const cost = element('span', { class: 'spent' })
  const todo = element('span', { class: 'do' })
  const runbook = element('a', { class: 'runbook' })
  const others = element('p', { class: 'others' })
  const line = element('p', { class: 'sentence' }, what, since, cost, todo, runbook)
  root.append(line, others)
  let shown = ''
  return {
    /** @param {State} state @param {readonly Trouble[]} troubles @returns {Sentence} */
    update: (state, troubles) => {
      const sentence = sentenceOf(state, troubles)
      mark(root, 'data-tone', sentence.tone)
      say(what, sentence.what)
      mark(what, 'href', sentence.at)
      say(since, sentence.since === '' ? '' : ` ${sentence.since}`)
      say(cost, sentence.cost === '' ? '' : `: ${sentence.cost}`)
      say(todo, sentence.do === '' ? '.' : `. ${capital(sentence.do)}.`)
      runbook.hidden = sentence.runbook === ''
      say(runbook, sentence.runbook === '' ? '' : 'Runbook')
      if (sentence.runbook !== '') mark(runbook, 'href', hashOf('runbook', anchorOf(sentence.runbook)))
      const rest = troubles.slice(1).map((one) => sentenceOf(state, [one]))
      const content = JSON.stringify(rest.map(({ what: words, at }) => [words, at]))
      if (content !== shown) others.replaceChildren(...othersOf(rest))
      shown = content
      others.hidden = rest.length === 0
      return sentence
    },
  }
}

/** @param {string} runbook path and anchor */
export const anchorOf = (runbook) => runbook.slice(runbook.indexOf('#') + 1)

/** @param {readonly Sentence[]} rest */
function othersOf(rest) {
  const links = rest.slice(0, MAX_OTHERS).map(({ what, at }) => element('a', { href: at }, what))
  const more = rest.length > MAX_OTHERS ? [`, and ${rest.length - MAX_OTHERS} others`] : []
  return [`And ${rest.length} more: `, ...links.flatMap((link, i) => (i === 0 ? [link] : ['; ', link])), ...more]
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1)

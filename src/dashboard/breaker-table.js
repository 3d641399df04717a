/** An upstream's breakers, one a line: of its routes, at its endpoints, and who holds one. */

import { element, keyed, mark, say } from './element.js'
import { breakerName, breakerWords, recent } from './format.js'

/** @import { BreakerView, UpstreamView } from './shapes.ts' */

/** Breakers that are listed. */
const MAX_SHOWN = 50

/** @typedef {{ readonly breaker: BreakerView, readonly called: string, readonly now: string | undefined }} Line */

export function breakerTable() {
  const root = element('ul', { class: 'breakers' })
  return {
    root,
    /** @param {UpstreamView} upstream @param {string | undefined} now */
    update: ({ breakers }, now) => {
      const lines = breakers.map((breaker) => ({ breaker, called: breakerName(breaker, breakers), now }))
      const unusualFirst = [...lines.filter(isUnusual), ...lines.filter((line) => !isUnusual(line))]
      keyed(root, unusualFirst.slice(0, MAX_SHOWN), ({ called }) => called, breakerLine)
    },
  }
}

/** @param {Line} line */
const isUnusual = ({ breaker }) => breaker.state !== 'closed' || breaker.mode !== 'auto'

function breakerLine() {
  const words = element('span')
  const said = element('span', { class: 'said' })
  const root = element('li', {}, words, said)
  return {
    root,
    /** @param {Line} line */
    update: ({ breaker, called, now }) => {
      mark(root, 'data-state', breaker.state)
      say(words, `${called}: ${breakerWords(breaker)}`)
      say(said, forcedWords(breaker, now))
    },
  }
}

/** Who holds it, since when, until when and why. @param {Pick<BreakerView, 'forced'>} breaker @param {string | undefined} now */
export function forcedWords({ forced }, now) {
  if (forced === null) return ''
  const by = forced.by === null ? 'by somebody' : `by ${forced.by}`
  const end = forced.until === null ? 'without an end' : `until ${recent(forced.until, now)}`
  const reason = forced.reason === null ? 'no reason given' : `“${forced.reason}”`
  return ` ${by}, since ${recent(forced.since, now)}, ${end}: ${reason}`
}

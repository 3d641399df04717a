/** What the sidecar knows of its own condition: checks, readiness, budgets, queues, deadlines, and settings that wait for a restart. */

import { element, keyed, mark, say } from './element.js'
import { checkLines, fleetLines, healthWords, limitLines } from './health-lines.js'

/** @import { Line } from './health-lines.js' */
/** @import { State } from './state.js' */

/** @param {{ readonly about: HTMLElement, readonly checks: HTMLElement, readonly limits: HTMLElement, readonly fleetTitle: HTMLElement, readonly fleet: HTMLElement }} places */
export function healthView({ about, checks, limits, fleetTitle, fleet }) {
  return {
    /** @param {State} state */
    update: (state) => {
      const { health } = state
      say(about, health === undefined ? 'Not read yet.' : healthWords(health))
      keyed(checks, health === undefined ? [] : checkLines(health), ({ name }) => name, linePart)
      keyed(limits, limitLines(state), ({ name }) => name, linePart)
      const ofFleet = fleetLines(state.fleet)
      fleetTitle.hidden = ofFleet.length === 0
      keyed(fleet, ofFleet, ({ name }) => name, linePart)
    },
  }
}

function linePart() {
  const name = element('span', { class: 'check' })
  const state = element('span', { class: 'badge' })
  const says = element('span', { class: 'says' })
  const root = element('li', {}, state, name, says)
  return {
    root,
    /** @param {Line} line */
    update: (line) => {
      mark(state, 'data-look', line.isWell ? 'well' : 'bad')
      say(state, line.isWell ? 'well' : 'not well')
      say(name, line.name)
      say(says, line.says)
    },
  }
}

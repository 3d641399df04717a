/** What the sidecar knows of its own condition: checks, readiness, budgets, queues, deadlines, and settings that wait for a restart. */

import { element, keyed, mark, say } from './element.js'
import { count, length, many, moment } from './format.js'

/** @import { HealthView, UpstreamView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @typedef {{ readonly name: string, readonly isWell: boolean, readonly says: string }} Line */

/** @param {{ readonly about: HTMLElement, readonly checks: HTMLElement, readonly limits: HTMLElement }} places */
export function healthView({ about, checks, limits }) {
  return {
    /** @param {State} state */
    update: (state) => {
      const { health } = state
      say(
        about,
        health === undefined
          ? 'Not read yet.'
          : `${health.service}, version ${health.version}: ${health.status} at ${moment(health.timestamp)}`,
      )
      keyed(checks, health === undefined ? [] : checkLines(health), ({ name }) => name, linePart)
      keyed(limits, limitLines(state), ({ name }) => name, linePart)
    },
  }
}

/** @param {HealthView} health @returns {Line[]} */
const checkLines = ({ checks }) =>
  Object.entries(checks)
    .map(([name, { healthy, details, latency_ms }]) => ({
      name,
      isWell: healthy,
      says: latency_ms === undefined ? details : `${details}, ${length(latency_ms)}`,
    }))
    .sort((a, b) => Number(a.isWell) - Number(b.isWell))

/** @param {State} state @returns {Line[]} */
function limitLines({ upstreams, jobs, isDraining, config }) {
  const restart = config?.last_reload?.restart_needed ?? []
  const spent = upstreams.filter(({ retry_budget, requests }) => retry_budget === 0 && requests.total > 0)
  const queueing = upstreams.filter(({ queued }) => queued > 0)
  const full = upstreams.filter(({ in_flight, limit }) => limit > 0 && in_flight >= limit)
  const late = [...jobs.values()].filter(({ time_left_s }) => time_left_s === 0)
  return [
    {
      name: 'Takes requests',
      isWell: !isDraining,
      says: isDraining ? 'no: it is ending, and finishes those under way' : 'yes',
    },
    {
      name: 'Retry budgets',
      isWell: spent.length === 0,
      says: spent.length === 0 ? 'all have retries to give' : `spent: ${namesOf(spent)}`,
    },
    {
      name: 'Queues',
      isWell: full.length === 0,
      says:
        queueing.length === 0
          ? 'nobody waits for a slot'
          : queueing
              .map(
                ({ name, queued, in_flight, limit }) =>
                  `${name}: ${count(queued)} wait, ${in_flight} of ${count(limit)} under way`,
              )
              .join('; '),
    },
    {
      name: 'Job deadlines',
      isWell: late.length === 0,
      says: late.length === 0 ? 'none has passed' : `${many(late.length, 'job')} past the deadline`,
    },
    {
      name: 'Settings',
      isWell: restart.length === 0,
      says: restart.length === 0 ? 'all in force' : `wait for a restart: ${restart.join(', ')}`,
    },
  ]
}

/** @param {readonly UpstreamView[]} upstreams */
const namesOf = (upstreams) => upstreams.map(({ name }) => name).join(', ')

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

/** Jobs that an upstream runs, as its responses told: those that run first, then the newest. */

import { element, keyed, mark, say } from './element.js'
import { many, seconds } from './format.js'

/** @import { Job } from './shapes.ts' */
/** @import { State } from './state.js' */

const MAX_SHOWN = 12

/** @param {string} upstream */
export function upstreamJobs(upstream) {
  const list = element('ul', { class: 'rows' })
  const none = element('p', { class: 'none' })
  const all = element('a', { href: '#/jobs' }, 'All jobs')
  return {
    root: element('div', {}, none, list, all),
    /** @param {State} state */
    update: ({ jobs, read }) => {
      const own = [...jobs.values()].filter(({ life }) => life?.upstream === upstream)
      const isRunning = (/** @type {Job} */ { life }) => life?.state === 'running'
      own.sort((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || (a.started_at < b.started_at ? 1 : -1))
      const running = own.filter(isRunning).length
      const known =
        own.length === 0 ? 'No job is known of it.' : `${many(running, 'job')} running, ${own.length} known.`
      say(none, read.has('jobs') ? known : 'Not read yet.')
      keyed(list, own.slice(0, MAX_SHOWN), ({ job_id }) => job_id, jobLine)
    },
  }
}

function jobLine() {
  const id = element('code')
  const words = element('span', { class: 'when' })
  const root = element('li', {}, id, ' ', words)
  return {
    root,
    /** @param {Job} job */
    update: ({ job_id, life, time_left_s }) => {
      mark(root, 'data-job-of', job_id)
      say(id, job_id)
      const status = life === null ? '' : life.state === 'running' ? (life.status ?? 'running') : life.state
      const left = life?.state !== 'running' || time_left_s === null ? '' : `, ${seconds(time_left_s)} left`
      say(words, `${status}${left}`)
    },
  }
}

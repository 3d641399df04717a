/** A job in words, for the page and for the commands. */

import { many, moment, NONE, seconds } from './format.js'

/** @import { Job } from './shapes.ts' */
/** @import { JobRow } from './state.js' */

export const NO_JOBS = 'No job is registered, and there is no checkpoint.'

/** @param {JobRow} row */
export const inputsOf = ({ job }) =>
  Object.entries(job?.inputs ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

/** @param {JobRow} row */
export function lifeOf({ job }) {
  if (job === undefined || job.life === null) return ''
  const { upstream, route, status, polls, attempts } = job.life
  const word = status === null ? '' : `, ${status}`
  return `${upstream}: ${route}${word}, ${many(polls, 'poll')}, ${many(attempts, 'call')}`
}

/** @param {JobRow} row */
export function leftOf({ job, leftS }) {
  if (job === undefined) return 'not registered'
  if (job.life !== null && job.life.state !== 'running') return `${job.life.state} after ${seconds(job.life.age_s)}`
  if (leftS === null) return 'no deadline'
  return leftS === 0 ? 'deadline passed' : `${seconds(leftS)} left`
}

/** @param {Job} job */
export function startOf({ started_at, timeouts, life }) {
  const label = Object.entries(timeouts).map(([name, s]) => `${name} ${seconds(s)}`)
  const seen = life === null ? '' : `; ${life.statuses.map(({ status, at }) => `${status} ${moment(at)}`).join(', ')}`
  return `Started ${moment(started_at)}; timeouts: ${label.join(', ') || NONE}${seen}`
}

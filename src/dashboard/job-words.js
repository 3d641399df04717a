/** A job in words, for the page and for the commands. */

import { moment, NONE, seconds } from './format.js'

/** @import { Job } from './shapes.ts' */
/** @import { JobRow } from './state.js' */

export const NO_JOBS = 'No job is registered, and there is no checkpoint.'

/** @param {JobRow} row */
export const inputsOf = ({ job }) =>
  Object.entries(job?.inputs ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

/** @param {JobRow} row */
export function leftOf({ job, leftS }) {
  if (job === undefined) return 'not registered'
  if (leftS === null) return 'no deadline'
  return leftS === 0 ? 'deadline passed' : `${seconds(leftS)} left`
}

/** @param {Job} job */
export function startOf({ started_at, timeouts }) {
  const label = Object.entries(timeouts).map(([name, s]) => `${name} ${seconds(s)}`)
  return `Started ${moment(started_at)}; timeouts: ${label.join(', ') || NONE}`
}

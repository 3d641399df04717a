/** What the sidecar knows of its own condition, a line each, for the page and for the commands. */

import { count, length, many, moment, pauseWords } from './format.js'

/** @import { FleetView, HealthView, UpstreamView } from './shapes.ts' */
/** @import { State } from './state.js' */

/** @typedef {{ readonly name: string, readonly isWell: boolean, readonly says: string }} Line */

/** @param {HealthView} health */
export const healthWords = ({ service, version, status, timestamp }) =>
  `${service}, version ${version}: ${status} at ${moment(timestamp)}`

/** @param {HealthView} health @returns {Line[]} */
export const checkLines = ({ checks }) =>
  Object.entries(checks)
    .map(([name, { healthy, details, latency_ms }]) => ({
      name,
      isWell: healthy,
      says: latency_ms === undefined ? details : `${details}, ${length(latency_ms)}`,
    }))
    .sort((a, b) => Number(a.isWell) - Number(b.isWell))

/** @param {State} state @returns {Line[]} */
export function limitLines({ upstreams, jobs, isDraining, config }) {
  const restart = config?.last_reload?.restart_needed ?? []
  const spent = upstreams.filter(({ retry_budget, requests }) => retry_budget === 0 && requests.total > 0)
  const queueing = upstreams.filter(({ queued }) => queued > 0)
  const full = upstreams.filter(({ in_flight, limit }) => limit > 0 && in_flight >= limit)
  const paused = upstreams.flatMap(({ name, pauses }) => pauses.map((pause) => ({ name, ...pause })))
  const impatient = upstreams.flatMap(({ name, impatient: all }) => all.map((one) => ({ name, ...one })))
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
      name: 'Retry-After',
      isWell: paused.every(({ waiting }) => waiting === 0),
      says:
        paused.length === 0
          ? 'no upstream asked to be left alone'
          : paused.map(({ name, ...pause }) => `${name}, ${pauseWords(pause)}`).join('; '),
    },
    {
      name: 'Held polls',
      isWell: impatient.length === 0,
      says:
        impatient.length === 0
          ? 'no client leaves before its time'
          : impatient.map(({ name, route, reason, fix }) => `${name}, ${route}: ${reason}; ${fix}`).join('; '),
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

/** The fleet and the limits that it shares; none without a fleet. @param {FleetView | undefined} fleet @returns {Line[]} */
export function fleetLines(fleet) {
  if (fleet === undefined || fleet.name === null) return []
  const hosts = new Map(fleet.members.map(({ id, host, self }) => [id, self ? `${host} (this one)` : host]))
  const holders = (/** @type {string} */ limit) =>
    fleet.leases
      .filter((lease) => lease.limit === limit && lease.permits > 0)
      .map(({ holder, permits }) => `${hosts.get(holder) ?? holder} ${count(permits)}`)
      .join(', ')
  return [
    {
      name: fleet.name,
      isWell: fleet.up,
      says: fleet.up
        ? `${many(fleet.pods, 'sidecar')}: ${[...hosts.values()].join(', ')}`
        : `its Redis does not answer: each of ${many(fleet.pods, 'sidecar')} takes its own share`,
    },
    ...fleet.limits.map(({ limit, max, held, per_s }) => ({
      name: limit,
      isWell: true,
      says:
        held === null
          ? `${many(max, 'call')} within ${length((per_s ?? 0) * 1000)}, for all together`
          : `${count(held)} of ${count(max)} held${held === 0 ? '' : `: ${holders(limit)}`}`,
    })),
  ]
}

/** @param {readonly UpstreamView[]} upstreams */
const namesOf = (upstreams) => upstreams.map(({ name }) => name).join(', ')

/** What the page knows, and how the control API's events change it. Knows nothing of how it is shown. */

/** @import { BreakerNews, CheckpointNews, ConfigView, Failure, Job, Sample, ServerEvent, StageProgress, UpstreamView } from './shapes.ts' */

/** Seconds of history that are kept. */
const WINDOW_S = 300
/** Seconds that are shown at least, however short the history. */
const MIN_S = 60
const MAX_TRANSITIONS = 50

export function freshState() {
  return {
    /** @type {Sample[]} oldest first */
    samples: [],
    /** @type {readonly UpstreamView[]} */
    upstreams: [],
    /** @type {BreakerNews[]} newest first */
    transitions: [],
    /** @type {readonly Failure[]} newest first */
    failures: [],
    /** @type {Map<string, Job & { readonly readAtMs: number }>} by id, with the moment at which its time left held */
    jobs: new Map(),
    /** What has been read at least once: that there is nothing of the rest is not known. @type {Set<'upstreams' | 'failures' | 'jobs' | 'config'>} */
    read: new Set(),
    /** Jobs that are registered, with those that are too many to be read. */
    jobsInAll: 0,
    /** @type {Map<string, Map<string, Pick<StageProgress, 'completed_items' | 'total_items'>>>} by job and stage */
    progress: new Map(),
    /** @type {ConfigView | undefined} */
    config: undefined,
  }
}

/** @typedef {ReturnType<typeof freshState>} State */

/**
 * @param {State} state
 * @param {ServerEvent} event
 * @returns {'upstreams' | 'config' | 'jobs' | undefined} what has to be read anew because of it.
 */
export function fold(state, { name, data }) {
  const message = JSON.parse(data)
  switch (name) {
    case 'history':
      state.samples = message.samples.slice(-WINDOW_S)
      state.transitions = message.breakers.toReversed()
      return undefined
    case 'sample':
      if (state.samples.at(-1)?.at === message.at) return undefined // the history had it
      state.samples.push(message)
      if (state.samples.length > WINDOW_S) state.samples.shift()
      return undefined
    case 'breaker':
      state.transitions.unshift(message)
      state.transitions.length = Math.min(state.transitions.length, MAX_TRANSITIONS)
      return 'upstreams'
    case 'checkpoint': {
      const isKnown = state.progress.has(message.job) || state.jobs.has(message.job)
      note(state, message)
      return isKnown ? undefined : 'jobs'
    }
    case 'reload':
      return 'config'
    default:
      return undefined // of a newer sidecar
  }
}

/** @param {State} state @param {CheckpointNews} told */
function note({ progress }, { job, stage, completed_items, total_items }) {
  const stages = progress.get(job) ?? new Map()
  stages.set(stage, { completed_items, total_items })
  progress.set(job, stages)
}

/** The sidecar's time at the latest sample. @param {State} state */
export const nowOf = ({ samples }) => samples.at(-1)?.at

/** What the time axes are of, in s. @param {State} state */
export function windowOf({ samples }) {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return MIN_S
  return Math.min(WINDOW_S, Math.max(MIN_S, (Date.parse(last.at) - Date.parse(first.at)) / 1000))
}

/**
 * What is registered or has a checkpoint: the nearest deadline first, then those without one, then those whose deadline
 * has passed, which may be there for a day.
 * @param {State} state @param {number} nowMs
 */
export function jobRows(state, nowMs) {
  const ids = new Set([...state.jobs.keys(), ...state.progress.keys()])
  const rows = [...ids].map((id) => {
    const job = state.jobs.get(id)
    const endS = job === undefined || job.time_left_s === null ? null : job.time_left_s - (nowMs - job.readAtMs) / 1000
    return { id, job, leftS: endS === null ? null : Math.max(0, endS), stages: [...(state.progress.get(id) ?? [])] }
  })
  const rank = (/** @type {(typeof rows)[number]} */ { leftS }) => (leftS === 0 ? 2 : leftS === null ? 1 : 0)
  const latest = (/** @type {(typeof rows)[number]} */ { job }) => job?.deadline_at ?? ''
  return rows.sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (rank(a) === 2 ? compared(latest(b), latest(a)) : (a.leftS ?? 0) - (b.leftS ?? 0)) ||
      compared(a.id, b.id),
  )
}

/** @param {string} a @param {string} b */
const compared = (a, b) => (a < b ? -1 : Number(a > b))

/** @typedef {ReturnType<typeof jobRows>[number]} JobRow */

/** The state that the page shows, and the fold of the control API's events into it. Knows nothing of the document. */

/** @import { FleetView, BreakerNews, CheckpointNews, ConfigChangesView, ConfigView, HealthView, HistoryView, IncidentView, Failure, Job, LimitView, RequestView, Sample, ServerEvent, StageProgress, UpstreamView } from './shapes.ts' */

/** Seconds of history that are kept. */
const WINDOW_S = 300
/** Shortest time axis, in s, however short the history. */
const MIN_S = 60
const MAX_TRANSITIONS = 50

export function freshState() {
  return {
    /** @type {Sample[]} oldest first */
    samples: [],
    /** @type {readonly UpstreamView[]} */
    upstreams: [],
    /** @type {readonly LimitView[]} */
    limits: [],
    /** Limits of the fleet that are the own share of the sidecar. @type {readonly string[]} */
    ownShares: [],
    /** @type {BreakerNews[]} newest first */
    transitions: [],
    /** @type {readonly Failure[]} newest first */
    failures: [],
    /** @type {Map<string, Job & { readonly readAtMs: number }>} by id; `readAtMs` is the moment to which `time_left_s` refers */
    jobs: new Map(),
    /** Sections that were read at least once. An empty list of another section only means that it is not known yet. @type {Set<'upstreams' | 'failures' | 'jobs' | 'config' | 'requests' | 'incidents' | 'history' | 'health'>} */
    read: new Set(),
    /** Number of registered jobs, including those beyond the ones that are read. */
    jobsInAll: 0,
    /** @type {Map<string, Map<string, Pick<StageProgress, 'completed_items' | 'total_items'>>>} by job and stage */
    progress: new Map(),
    /** @type {ConfigView | undefined} */
    config: undefined,
    /** @type {ConfigChangesView | undefined} */
    changes: undefined,
    /** Newest first; of one upstream while its view is shown. @type {readonly RequestView[]} */
    requests: [],
    /** Requests since the start that the sidecar did not keep: see `leftOutWords`. */
    leftOut: 0,
    /** Newest first. @type {readonly IncidentView[]} */
    incidents: [],
    /** Minutes of the last day. @type {HistoryView | undefined} */
    history: undefined,
    /** @type {HealthView | undefined} */
    health: undefined,
    /** undefined until it is read. @type {FleetView | undefined} */
    fleet: undefined,
    /** When each check that fails was first seen to fail, for those that were seen to be well before. @type {ReadonlyMap<string, string>} */
    unhealthySince: new Map(),
    isDraining: false,
  }
}

/** @typedef {ReturnType<typeof freshState>} State */

/**
 * @param {State} state
 * @param {ServerEvent} event
 * @returns {'upstreams' | 'config' | 'jobs' | undefined} the section that has to be read again because of the event.
 */
export function fold(state, { name, data }) {
  const message = JSON.parse(data)
  switch (name) {
    case 'history':
      state.samples = message.samples.slice(-WINDOW_S)
      state.transitions = message.breakers.toReversed()
      return undefined
    case 'sample':
      if (state.samples.at(-1)?.at === message.at) return undefined // the history has it already
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
      return undefined // an event of a newer sidecar
  }
}

/** @param {State} state @param {HealthView} health */
export function noteHealth(state, health) {
  const before = state.health?.checks
  const since = Object.entries(health.checks).flatMap(([name, { healthy }]) => {
    const at = state.unhealthySince.get(name) ?? (before?.[name]?.healthy ? health.timestamp : undefined)
    return healthy || at === undefined ? [] : /** @type {const} */ ([[name, at]])
  })
  state.unhealthySince = new Map(since)
  state.health = health
  state.isDraining = !health.ready
}

/** @param {State} state @param {CheckpointNews} news */
function note({ progress }, { job, stage, completed_items, total_items }) {
  const stages = progress.get(job) ?? new Map()
  stages.set(stage, { completed_items, total_items })
  progress.set(job, stages)
}

/** The sidecar's time at the latest sample. @param {State} state */
export const nowOf = ({ samples }) => samples.at(-1)?.at

/** Length of the time axes, in s. @param {State} state */
export function windowOf({ samples }) {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return MIN_S
  return Math.min(WINDOW_S, Math.max(MIN_S, (Date.parse(last.at) - Date.parse(first.at)) / 1000))
}

/**
 * Jobs that are registered or have a checkpoint: by deadline, the nearest first; then jobs without a deadline; then jobs
 * that have ended or whose deadline has passed, which the sidecar may keep for a day.
 * @param {State} state @param {number} nowMs
 */
export function jobRows(state, nowMs) {
  const ids = new Set([...state.jobs.keys(), ...state.progress.keys()])
  const rows = [...ids].map((id) => {
    const job = state.jobs.get(id)
    const endS = job === undefined || job.time_left_s === null ? null : job.time_left_s - (nowMs - job.readAtMs) / 1000
    const isOver = job !== undefined && job.life !== null && job.life.state !== 'running'
    return {
      id,
      job,
      isOver,
      leftS: endS === null ? null : Math.max(0, endS),
      stages: [...(state.progress.get(id) ?? [])],
    }
  })
  const rank = (/** @type {(typeof rows)[number]} */ { isOver, leftS }) =>
    isOver || leftS === 0 ? 2 : leftS === null ? 1 : 0
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

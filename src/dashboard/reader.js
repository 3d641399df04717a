/** Keeps the state up to date: follows the event stream, and polls the figures that no event carries. */

import { ApiError } from './api.js'
import { fold, noteHealth } from './state.js'

/** @import { Api } from './api.js' */
/** @import { Job, JobProgress } from './shapes.ts' */
/** @import { State } from './state.js' */

/** Time between two polls of each section, in ms. */
const EVERY_MS = {
  upstreams: 2_000,
  failures: 2_000,
  requests: 2_000,
  incidents: 5_000,
  health: 10_000,
  jobs: 15_000,
  history: 60_000,
  config: 60_000,
}
/** A sample comes each second. After this time without an event the connection counts as lost. */
const SILENCE_MS = 10_000
const AGAIN_MS = 2_000
/** Wait before new jobs are read: jobs often start together, and one reading serves all of them. */
const CROWD_MS = 2_000
/** Timeout of one call: a stopped process (SIGSTOP) keeps connections open and never answers. */
const ANSWER_MS = 10_000
const NOW = { upstreams: 0, failures: 0, requests: 0, incidents: 0, health: 0, jobs: 0, history: 0, config: 0 }
const NO_ANSWER = 'the sidecar does not answer'
const PAGE = 100
const MAX_JOBS = 1_000
/** All that the sidecar keeps. */
const MAX_REQUESTS = 300

/** @typedef {keyof typeof EVERY_MS} Section */
/** @typedef {'live' | 'lost' | 'locked'} Link */

/**
 * @param {Api} api
 * @param {State} state
 * @param {{ readonly isWanted: (section: Section) => boolean, readonly requestsOf: () => string, readonly changed: () => void, readonly link: (state: Link, detail: string) => void, readonly trouble: (section: Section, detail: string) => void }} on
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short closures over the state of one reader.
export function startReader(api, state, on) {
  /** @type {Record<Section, number>} when each section is to be polled next, on the monotonic clock. */
  const dueMs = { ...NOW }
  /** @type {Set<Section>} */
  const underWay = new Set()
  let isLocked = false
  /** Whether the event stream is connected. Nothing is polled while it is not. */
  let isLive = true
  let heardMs = performance.now()
  let connection = new AbortController()

  /** @param {string} path */
  const get = (path) => api.get(path, AbortSignal.timeout(ANSWER_MS))

  /** @type {Readonly<Record<Section, () => Promise<void>>>} */
  const read = {
    upstreams: async () => {
      const { upstreams, limits, own_shares } = await get('v1/upstreams')
      state.upstreams = upstreams
      state.limits = limits
      state.ownShares = own_shares
    },
    failures: async () => {
      state.failures = (await get('v1/failures')).failures
    },
    jobs: async () => {
      await readJobs(get, state)
    },
    config: async () => {
      state.config = await get('v1/config')
      state.changes = await get('v1/config/changes')
    },
    requests: async () => {
      const { requests, left_out } = await get(`v1/requests?limit=${MAX_REQUESTS}${on.requestsOf()}`)
      state.requests = requests
      state.leftOut = left_out
    },
    incidents: async () => {
      state.incidents = (await get('v1/incidents')).incidents
    },
    history: async () => {
      state.history = await get('v1/history?from=-24h&step=5m')
    },
    health: async () => {
      state.fleet = await get('v1/fleet')
      noteHealth(state, await get('v1/health'))
    },
  }

  /** @param {Section} section */
  async function refresh(section) {
    if (underWay.has(section)) {
      dueMs[section] = 0 // the call under way may have been answered before the change
      return
    }
    underWay.add(section)
    dueMs[section] = performance.now() + EVERY_MS[section]
    try {
      await read[section]()
      state.read.add(section)
      on.trouble(section, '')
      on.changed()
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) lock(error)
      else if (error instanceof ApiError) on.trouble(section, error.message)
      else lose(NO_ANSWER) // fetch gives no cause
    } finally {
      underWay.delete(section)
    }
  }

  /** @param {ApiError} error */
  function lock(error) {
    isLocked = true
    on.link('locked', error.message)
  }

  async function follow() {
    for (;;) {
      if (!isLocked) await followOnce()
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  async function followOnce() {
    connection = new AbortController()
    heardMs = performance.now()
    try {
      for await (const event of api.events(connection.signal)) {
        heardMs = performance.now()
        if (!isLive) Object.assign(dueMs, NOW)
        isLive = true
        on.link('live', '')
        const again = fold(state, event)
        if (again === 'jobs') dueMs.jobs = Math.min(dueMs.jobs, heardMs + CROWD_MS)
        else if (again !== undefined) void refresh(again) // in a hidden tab, too: its title shows the state
        if (event.name === 'breaker') dueMs.incidents = 0
        if (event.name === 'sample') on.changed()
      }
      lose('the sidecar ended the connection')
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) lock(error)
      else lose(error instanceof ApiError ? error.message : NO_ANSWER)
    }
  }

  /** @param {string} detail */
  function lose(detail) {
    isLive = false
    on.link('lost', detail)
  }

  function poll() {
    const now = performance.now()
    if (now - heardMs > SILENCE_MS) connection.abort()
    if (isLocked || !isLive || document.hidden) return
    for (const section of /** @type {Section[]} */ (Object.keys(dueMs))) {
      if (dueMs[section] <= now && !underWay.has(section) && on.isWanted(section)) void refresh(section)
    }
  }
  setInterval(poll, 500)
  void follow()
  return {
    refresh,
    /** Reads what is due now, and not within half a second. */
    poll,
    /** What a view that was just opened needs is read at once. */
    due: () => {
      for (const section of /** @type {const} */ (['requests', 'jobs', 'history'])) dueMs[section] = 0
      poll()
    },
    unlock: () => {
      isLocked = false
    },
  }
}

/** @typedef {(path: string) => Promise<any>} Get */

/** @param {Get} get @param {State} state */
async function readJobs(get, state) {
  const readAtMs = performance.now()
  /** @type {{ jobs: Job[], total: number }} */
  const { jobs, total } = await get(`v1/jobs?limit=${MAX_JOBS}`)
  state.jobs = new Map(jobs.map((job) => [job.job_id, { ...job, readAtMs }]))
  state.jobsInAll = total
  const progress = await readProgress(get)
  state.progress = new Map(
    progress.map(({ job_id, stages }) => [job_id, new Map(stages.map((stage) => [stage.stage, stage]))]),
  )
}

/** Reads page by page, so that no answer keeps the sidecar's event loop long. @param {Get} get @returns {Promise<JobProgress[]>} the first `MAX_JOBS`. */
async function readProgress(get) {
  /** @type {JobProgress[]} */
  const jobs = []
  /** @type {string | null} */
  let cursor = null
  do {
    const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    /** @type {{ jobs: JobProgress[], next_cursor: string | null }} */
    const page = await get(`v1/progress?limit=${PAGE}${after}`)
    jobs.push(...page.jobs)
    cursor = page.next_cursor
  } while (cursor !== null && jobs.length < MAX_JOBS)
  return jobs
}

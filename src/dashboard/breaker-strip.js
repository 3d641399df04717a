/** The states of an upstream's breaker over the window of the plots, in their time axis. */

import { element, keyed, mark, say } from './element.js'
import { seconds } from './format.js'
import { WINDOW_S } from './state.js'

/** @import { BreakerState, Sample } from './shapes.ts' */

/** Consecutive seconds in one state, in ms. @typedef {{ state: BreakerState, fromMs: number, toMs: number }} Run */

/** @param {readonly Sample[]} samples @param {string} upstream @returns {Run[]} */
function runsOf(samples, upstream) {
  /** @type {Run[]} */
  const runs = []
  for (const { at, upstreams } of samples) {
    const state = upstreams[upstream]?.breaker
    if (state === undefined) continue
    const toMs = Date.parse(at)
    const last = runs.at(-1)
    if (last?.state === state) last.toMs = toMs
    else runs.push({ state, fromMs: last?.toMs ?? toMs - 1000, toMs })
  }
  return runs
}

/** @param {string} upstream */
export function breakerStrip(upstream) {
  const track = element('div', { class: 'track', role: 'img' })
  const told = element('span', { class: 'value' })
  const root = element(
    'figure',
    { class: 'strip', 'data-plot': 'breaker' },
    element('figcaption', {}, element('span', { class: 'title' }, 'Breaker'), told),
    track,
  )
  return {
    root,
    /** @param {readonly Sample[]} samples */
    update: (samples) => {
      const runs = runsOf(samples, upstream)
      const endMs = runs.at(-1)?.toMs ?? 0
      say(told, summaryOf(runs))
      mark(track, 'aria-label', `Breaker over the last minutes: ${summaryOf(runs)}`)
      keyed(
        track,
        runs.map((run) => ({ ...run, endMs })),
        ({ fromMs }) => String(fromMs),
        makeRun,
      )
    },
  }
}

function makeRun() {
  const root = element('span')
  return {
    root,
    /** @param {Run & { readonly endMs: number }} run */
    update: ({ state, fromMs, toMs, endMs }) => {
      const percent = (/** @type {number} */ ms) => `${((ms / 1000 / WINDOW_S) * 100).toFixed(2)}%`
      mark(root, 'class', `run ${state}`)
      root.style.right = percent(endMs - toMs)
      root.style.width = percent(toMs - fromMs)
    },
  }
}

/** @param {readonly Run[]} runs */
function summaryOf(runs) {
  const of = (/** @type {BreakerState} */ wanted) =>
    runs.filter(({ state }) => state === wanted).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) / 1000
  const [open, probing] = [of('open'), of('half-open')]
  if (open === 0 && probing === 0) return 'closed throughout'
  return [`open ${seconds(open)}`, ...(probing === 0 ? [] : [`half-open ${seconds(probing)}`])].join(', ')
}

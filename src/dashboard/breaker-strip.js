/** The states of an upstream's breaker over time, on the time axis of the plots. */

import { element, keyed, mark, say } from './element.js'
import { many, seconds } from './format.js'

/** @import { BreakerNews, BreakerState, Sample } from './shapes.ts' */

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
  const label = element('span', { class: 'value' })
  const root = element(
    'figure',
    { class: 'strip', 'data-plot': 'breaker' },
    element('figcaption', {}, element('span', { class: 'title' }, 'Breaker'), label),
    track,
  )
  return {
    root,
    /**
     * @param {readonly Sample[]} samples
     * @param {readonly BreakerNews[]} transitions of this upstream, including openings that last less than a second and so are in no sample.
     * @param {number} windowS
     */
    update: (samples, transitions, windowS) => {
      const runs = runsOf(samples, upstream)
      const endMs = runs.at(-1)?.toMs ?? 0
      const openings = transitions
        .filter(({ to, at }) => to === 'open' && Date.parse(at) > endMs - windowS * 1000)
        .map(({ at }) => Date.parse(at))
      const marks = openings.map((ms) => ({ state: /** @type {const} */ ('open'), fromMs: ms, toMs: ms }))
      const summary = summaryOf(runs, openings.length)
      say(label, summary)
      mark(track, 'aria-label', `Breaker over the last minutes: ${summary}`)
      keyed(
        track,
        [...runs, ...marks].map((run) => ({ ...run, endMs, windowS })),
        ({ fromMs, toMs }) => `${fromMs} ${fromMs === toMs}`,
        makeRun,
      )
    },
  }
}

function makeRun() {
  const root = element('span')
  return {
    root,
    /** @param {Run & { readonly endMs: number, readonly windowS: number }} run */
    update: ({ state, fromMs, toMs, endMs, windowS }) => {
      const percent = (/** @type {number} */ ms) => `${((ms / 1000 / windowS) * 100).toFixed(2)}%`
      mark(root, 'class', `run ${state}`)
      root.style.right = percent(Math.max(0, endMs - toMs))
      root.style.width = percent(toMs - fromMs)
    },
  }
}

/** @param {readonly Run[]} runs @param {number} openings */
function summaryOf(runs, openings) {
  const of = (/** @type {BreakerState} */ wanted) =>
    runs.filter(({ state }) => state === wanted).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) / 1000
  const [open, probing] = [of('open'), of('half-open')]
  const words = [
    ...(openings === 0 ? [] : [`opened ${many(openings, 'time')}`]),
    ...(open === 0 ? [] : [`open ${seconds(open)}`]),
    ...(probing === 0 ? [] : [`half-open ${seconds(probing)}`]),
  ]
  return words.length === 0 ? 'closed throughout' : words.join(', ')
}

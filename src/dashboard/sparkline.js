/** Requests of the last minutes as a small picture: all of them, and the failed ones in front. */

import { mark } from './element.js'

/** @import { Sample } from './shapes.ts' */

const SVG = 'http://www.w3.org/2000/svg'
/** Seconds of one bar, and the number of bars. */
const STEP_S = 5
const BARS = 60
const HEIGHT = 20

export function sparkline() {
  const root = document.createElementNS(SVG, 'svg')
  const all = document.createElementNS(SVG, 'path')
  const failed = document.createElementNS(SVG, 'path')
  root.append(all, failed)
  for (const [name, value] of Object.entries({
    class: 'spark',
    viewBox: `0 0 ${BARS} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  }))
    root.setAttribute(name, value)
  all.setAttribute('class', 'all')
  failed.setAttribute('class', 'failed')
  return {
    root,
    /** @param {readonly Sample[]} samples @param {string} upstream */
    update: (samples, upstream) => {
      const bars = barsOf(samples, upstream)
      const most = Math.max(1, ...bars.map(({ requests }) => requests))
      mark(all, 'd', pathOf(bars.map(({ requests }) => requests / most)))
      mark(failed, 'd', pathOf(bars.map((bar) => bar.failed / most)))
    },
  }
}

/** The newest last. @param {readonly Sample[]} samples @param {string} upstream */
function barsOf(samples, upstream) {
  const bars = Array.from({ length: BARS }, () => ({ requests: 0, failed: 0 }))
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[samples.length - 1 - i]?.upstreams[upstream]
    const bar = bars[BARS - 1 - Math.floor(i / STEP_S)]
    if (sample === undefined || bar === undefined) continue
    bar.requests += sample.requests
    bar.failed += sample.failed
  }
  return bars
}

/** @param {readonly number[]} shares of the height. */
const pathOf = (shares) =>
  shares
    .map((share, x) => (share === 0 ? '' : `M${x} ${HEIGHT}h.8v${(-Math.max(1, share * HEIGHT)).toFixed(1)}h-.8z`))
    .join('')

/** An upstream's figures over time: small plots, one below the other, with one time axis. */

import { element, say } from './element.js'
import { FIGURES } from './figures.js'

/** @import Plot from 'uplot' */
/** @import { Figure } from './figures.js' */
/** @import { Sample, UpstreamSample } from './shapes.ts' */

const HEIGHT = 58
const AXIS_HEIGHT = 22
/** Width of the vertical axis's labels, in px. The breaker strip has the same left margin in its stylesheet. */
const GUTTER = 46

const COLOURS = ['--line-1', '--line-2', '--line-3', '--grid', '--muted']
/** Read once and at a change of theme: getComputedStyle makes the browser recompute all styles. @type {Readonly<Record<string, string>>} */
let palette = readPalette()
/** @type {Set<Plot>} */
const drawn = new Set()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  palette = readPalette()
  for (const plot of drawn) plot.redraw(false)
})

function readPalette() {
  const style = getComputedStyle(document.documentElement)
  return Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(name)]))
}

/** @param {string} name */
const colour = (name) => palette[name] ?? ''

/** @type {Set<() => void>} */
const waiting = new Set()

/** Draws one plot in each animation frame, so that no frame is long, however many plots there are. @param {() => void} draw */
function drawSoon(draw) {
  if (waiting.size === 0) requestAnimationFrame(drawNext)
  waiting.add(draw)
}

function drawNext() {
  const [next] = waiting
  if (next === undefined) return
  waiting.delete(next)
  if (waiting.size > 0) requestAnimationFrame(drawNext)
  next()
}

/** @param {string} upstream */
export function plotsOf(upstream) {
  const all = FIGURES.map((figure, i) => plotOf(figure, i === FIGURES.length - 1))
  const root = element('div', { class: 'plots' }, ...all.map(({ root }) => root))
  return {
    root,
    /** @param {readonly Sample[]} samples @param {number} windowS */
    update: (samples, windowS) => {
      const known = samples.filter(({ upstreams }) => upstreams[upstream] !== undefined)
      const at = known.map((sample) => Date.parse(sample.at) / 1000)
      const own = known.flatMap(({ upstreams }) => upstreams[upstream] ?? [])
      for (const plot of all) plot.update(at, own, windowS)
    },
  }
}

/** @param {Figure} figure @param {boolean} isLast whether the time axis is drawn below it. */
function plotOf(figure, isLast) {
  const values = figure.lines.map(() => element('span', { class: 'value' }))
  const legend = figure.lines.map(({ label, colour: name }, i) =>
    element('span', { class: `line ${name.slice(2)}` }, `${label} `, values[i] ?? ''),
  )
  const canvas = element('div', { class: 'canvas', 'aria-hidden': 'true' })
  const root = element(
    'figure',
    { 'data-plot': figure.id },
    element('figcaption', {}, element('span', { class: 'title' }, figure.title), ...legend),
    canvas,
  )
  /** @type {Plot | undefined} */
  let plot
  let isVisible = false
  let shownS = 0
  /** @type {Plot.AlignedData} */
  let data = [[], ...figure.lines.map(() => [])]
  const height = HEIGHT + (isLast ? AXIS_HEIGHT : 0)

  /** Shows the values under the pointer, or else the latest. */
  function showValues() {
    const at = plot?.cursor.idx ?? (data[0]?.length ?? 0) - 1
    values.forEach((node, i) => {
      say(node, figure.says(data[i + 1]?.[at] ?? null))
    })
  }

  function draw() {
    if (!isVisible || document.hidden || canvas.clientWidth === 0) return
    if (plot === undefined) {
      plot = new uPlot(
        optionsOf(figure, canvas.clientWidth, height, isLast, () => shownS, showValues),
        data,
        canvas,
      )
      drawn.add(plot)
    } else plot.setData(data)
  }

  new IntersectionObserver(([entry]) => {
    isVisible = entry?.isIntersecting ?? false
    drawSoon(draw)
  }).observe(root)
  new ResizeObserver(() => {
    if (plot === undefined) return
    if (canvas.isConnected) return plot.setSize({ width: canvas.clientWidth, height })
    drawn.delete(plot)
    plot.destroy() // uPlot's cursor sync would keep a reference to it
    plot = undefined
  }).observe(canvas)
  return {
    root,
    /** @param {number[]} at @param {readonly UpstreamSample[]} own @param {number} windowS */
    update: (at, own, windowS) => {
      shownS = windowS
      data = [at, ...figure.lines.map(({ of }) => own.map(of))]
      showValues()
      drawSoon(draw)
    },
  }
}

/**
 * @param {Figure} figure @param {number} width @param {number} height @param {boolean} isLast
 * @param {() => number} shownS @param {() => void} showValues
 * @returns {Plot.Options}
 */
function optionsOf({ lines, axis, least }, width, height, isLast, shownS, showValues) {
  const grid = { stroke: () => colour('--grid'), width: 1 }
  const font = '11px system-ui, sans-serif'
  return {
    width,
    height,
    padding: [6, 4, isLast ? 0 : 4, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: 'time' }, points: { size: 6 } },
    hooks: { setCursor: [showValues] },
    scales: {
      x: { time: true, range: (_, __, max) => [max - shownS(), max] },
      y: { range: (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.1)] },
    },
    axes: [
      {
        show: isLast,
        size: AXIS_HEIGHT,
        stroke: () => colour('--muted'),
        font,
        grid: { show: false },
        ticks: { ...grid, size: 4 },
        space: 70,
        values: (_, splits) => splits.map((at) => HOUR_AND_MINUTE.format(at * 1000)),
      },
      {
        size: GUTTER,
        gap: 4,
        stroke: () => colour('--muted'),
        font,
        grid,
        ticks: { show: false },
        space: 24,
        values: (_, splits) => splits.map(axis),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name, dash }) => ({
        label,
        stroke: () => colour(name),
        width: 1.5,
        ...(dash === undefined ? {} : { dash }),
        points: {
          show: true,
          size: 3,
          fill: () => colour(name),
          width: 0,
          filter: (/** @type {Plot} */ plot, /** @type {number} */ series) => lonely(plot.data[series] ?? []),
        },
      })),
    ],
  }
}

/** Indexes of values without a neighbour: no line leads to them, so that only a point shows them. @param {ArrayLike<number | null | undefined>} values */
function lonely(values) {
  return Array.from(values, (_, i) => i).filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  )
}

const HOUR_AND_MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

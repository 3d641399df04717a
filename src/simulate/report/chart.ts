/** Charts over time as SVG without colours: classes name what a page paints. */

export type Series = {
  /** Class that paints it. */
  readonly paint: string
  /** One value per slice of time. */
  readonly values: readonly number[]
}

export type Frame = {
  readonly sliceMs: number
  /** Number of slices, and largest value. */
  readonly slices: number
  readonly top: number
}

const WIDTH = 720
const HEIGHT = 170
const LEFT = 56
const BOTTOM = 22
const TOP = 8
const INNER_WIDTH = WIDTH - LEFT - 8
const INNER_HEIGHT = HEIGHT - BOTTOM - TOP
/** Approximate number of ticks on the time axis. */
const TICKS = 6

/** Series stacked as areas. */
export function stackedChart(label: string, series: readonly Series[], frame: Frame): string {
  let below: readonly number[] = []
  const areas = series.map(({ paint, values }) => {
    const above = Array.from({ length: frame.slices }, (_, i) => (below[i] ?? 0) + (values[i] ?? 0))
    const path = `${edge(above, frame, 'M')}${edge(below, frame, 'L', true)}Z`
    below = above
    return `<path class="area ${paint}" d="${path}"/>`
  })
  return framed(label, frame, areas)
}

/** Series as lines. */
export function lineChart(label: string, series: readonly Series[], frame: Frame): string {
  const lines = series.map(({ paint, values }) => `<path class="line ${paint}" d="${edge(values, frame, 'M')}"/>`)
  return framed(label, frame, lines)
}

/** The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not less. */
export function roundUp(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 2.5, 5].find((step) => step * power >= value * (1 - 1e-9)) ?? 10)
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

function framed(label: string, frame: Frame, marks: readonly string[]): string {
  const open = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">`
  return `${open}${valueAxis(frame)}${timeAxis(frame)}${marks.join('')}</svg>`
}

/** Outline of a series in steps, one per slice; backwards for the lower edge of an area. */
function edge(values: readonly number[], frame: Frame, first: 'M' | 'L', backwards = false): string {
  const points = Array.from({ length: frame.slices }, (_, i) => {
    const y = heightOf(values[i] ?? 0, frame)
    const ends = [xOf(i, frame), xOf(i + 1, frame)].map((x) => `${x} ${y}`)
    return backwards ? ends.reverse().join('L') : ends.join('L')
  })
  return `${first}${(backwards ? points.reverse() : points).join('L')}`
}

function valueAxis(frame: Frame): string {
  const step = roundUp(frame.top / 4)
  const ticks = Array.from({ length: Math.floor(frame.top / step + 1e-9) + 1 }, (_, i) => i * step)
  return ticks
    .map((value) => {
      const y = heightOf(value, frame)
      const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - 8}" y1="${y}" y2="${y}"/>`
      return `${line}<text class="tick" x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${short(value)}</text>`
    })
    .join('')
}

function timeAxis(frame: Frame): string {
  const wholeMs = frame.slices * frame.sliceMs
  const [unitMs, unit] = UNITS.find(([ms]) => wholeMs >= 2 * ms) ?? [1, 'ms']
  const step = roundUp(wholeMs / unitMs / TICKS)
  const ticks = Array.from({ length: Math.floor(wholeMs / unitMs / step) + 1 }, (_, i) => i * step)
  return ticks
    .map((time) => {
      const x = round(LEFT + (INNER_WIDTH * time * unitMs) / wholeMs)
      const anchor = time === 0 ? 'start' : x > WIDTH - 24 ? 'end' : 'middle'
      return `<text class="tick" x="${x}" y="${HEIGHT - 5}" text-anchor="${anchor}">${short(time)} ${unit}</text>`
    })
    .join('')
}

const UNITS = [
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const

const xOf = (slice: number, { slices }: Frame) => round(LEFT + (INNER_WIDTH * slice) / slices)

const heightOf = (value: number, { top }: Frame) =>
  round(TOP + INNER_HEIGHT * (1 - Math.min(1, Math.max(0, value / top))))

const round = (pixels: number) => Math.round(pixels * 10) / 10

const short = (value: number) =>
  value >= 10_000 ? `${Number((value / 1_000).toPrecision(3))}k` : String(Number(value.toPrecision(3)))
